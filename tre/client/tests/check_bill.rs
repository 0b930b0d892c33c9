//! `tre-client meter check-bill` on files that a TRE signed: its exit codes, and what it names.

#![forbid(unsafe_code)]

#[cfg(test)]
mod check_bill {
    use std::path::Path;
    use std::process::{Command, Output};

    use rcgen::{
        BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
        SanType, SigningKey as _,
    };
    use tempfile::TempDir;
    use tre_wire::deployment::Deployment;
    use tre_wire::document;
    use tre_wire::hex::{Hex32, HexBytes};
    use tre_wire::message::Signed;
    use tre_wire::message::kept::{Content, Format, Kept};
    use tre_wire::message::meter::{MeterPrices, Receipt, ReceiptStatus, Receipts, SlotPrice};
    use tre_wire::message::supplier::{Basis, Bill};
    use tre_wire::units::{MinorUnits, PricePerKwh, Slot, WattHours};

    /// A folder with a deployment, a receipt, a price and a bill.
    struct Household {
        folder: TempDir,
        key: KeyPair,
        chain: Vec<HexBytes>,
        bill: Bill,
    }

    fn slot(number: u64) -> Slot {
        Slot::new(number).expect("in range")
    }

    impl Household {
        /// 1,000 Wh at 0.20 in the first of 96 slots.
        fn new() -> Self {
            let authority_key = KeyPair::generate().expect("a key");
            let mut authority = CertificateParams::default();
            authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            let anchor = authority.self_signed(&authority_key).expect("a certificate");
            let issuer = Issuer::new(authority, authority_key);
            let key = KeyPair::generate().expect("a key");
            let mut leaf = CertificateParams::default();
            let name = "spiffe://grid.example/tre/tre-1";
            leaf.subject_alt_names = vec![SanType::URI(name.try_into().expect("ASCII"))];
            let purpose = vec![1, 3, 6, 1, 5, 5, 7, 3, 36];
            leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(purpose)];
            let leaf = leaf.signed_by(&key, &issuer).expect("a certificate");

            let golden = include_str!("../../../tests/vectors/v1/messages/deployment.json");
            let mut deployment: Deployment = serde_json::from_str(golden).expect("a deployment");
            deployment.tre_authorities = vec![HexBytes(anchor.der().to_vec())];
            deployment.policy.billing.min_slots_per_level = 96;
            let (supplier, tariff) =
                ("s".parse().expect("an identifier"), "t".parse().expect("an identifier"));
            let (period, price) = ((slot(10), slot(106)), PricePerKwh::new(200_000));
            let price = price.expect("in range");
            let series = document::price_series((&supplier, &tariff), period, &[(slot(10), price)]);
            let bill = Bill {
                account: "a".parse().expect("an identifier"),
                supplier: supplier.clone(),
                tariff: tariff.clone(),
                from_slot: period.0,
                to_slot: period.1,
                total_minor: MinorUnits::new(20).expect("in range"),
                basis: Basis::Slots,
                price_series: Hex32(series),
                policy: Hex32(deployment.policy.digest()),
            };
            let chain = vec![HexBytes(leaf.der().to_vec())];
            let folder = tempfile::tempdir().expect("a folder");
            let household = Self { folder, key, chain, bill };
            household.write("deployment.json", &deployment);
            std::fs::create_dir(household.folder.path().join("kept")).expect("writable");
            let prices = vec![SlotPrice { slot: slot(10), price }];
            let prices = MeterPrices { supplier, tariff, prices };
            let signature = household.sign(&document::prices("tre-1", &prices));
            let prices = Content::Prices(Signed { document: prices, signature });
            household.keep("kept/prices.json", prices);
            let wh = |energy| WattHours::new(energy).expect("in range");
            let status = ReceiptStatus::Accepted;
            let receipts = vec![Receipt {
                slot: slot(10),
                import_wh: wh(1_000),
                export_wh: wh(0),
                seq: 1,
                status,
            }];
            let signature = household.sign(&document::receipts("tre-1", "m", &receipts));
            let meter = "m".parse().expect("an identifier");
            let receipts = Receipts { receipts, signature };
            household.keep("kept/receipts.json", Content::Receipts { meter, receipts });
            household.put_bill(&household.bill, &household.bill);
            household
        }

        fn sign(&self, bytes: &[u8]) -> HexBytes {
            HexBytes(self.key.sign(bytes).expect("a signature"))
        }

        fn write(&self, name: &str, content: &impl serde::Serialize) {
            let bytes = serde_json::to_vec(content).expect("JSON");
            std::fs::write(self.folder.path().join(name), bytes).expect("writable");
        }

        fn keep(&self, name: &str, content: Content) {
            let tre = "tre-1".parse().expect("an identifier");
            let document_chain = self.chain.clone();
            self.write(name, &Kept { format: Format::default(), tre, document_chain, content });
        }

        /// A bill with the signature over `signed`.
        fn put_bill(&self, bill: &Bill, signed: &Bill) {
            let signature = self.sign(&document::bill("tre-1", signed));
            self.keep("bill.json", Content::Bill(Signed { document: bill.clone(), signature }));
        }

        fn check(&self, bill: &str) -> (Option<i32>, String) {
            self.check_with(bill, &[])
        }

        fn check_with(&self, bill: &str, options: &[&str]) -> (Option<i32>, String) {
            let path = |name: &str| self.folder.path().join(name);
            let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_tre-client"))
                .args(["meter", "check-bill"])
                .arg(path(bill))
                .arg("--kept")
                .arg(path("kept"))
                .arg("--deployment")
                .arg(path("deployment.json"))
                .args(options)
                .output()
                .expect("the program runs");
            let said = [stdout, stderr].concat();
            (status.code(), String::from_utf8(said).expect("text"))
        }
    }

    #[test]
    fn a_bill_that_comes_to_what_was_metered_is_right() {
        let (code, said) = Household::new().check("bill.json");
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said.matches("agrees").count(), 4, "{said}");
    }

    #[test]
    fn a_wrong_total_is_named_though_it_is_signed() {
        let household = Household::new();
        let total_minor = MinorUnits::new(21).expect("in range");
        let wrong = Bill { total_minor, ..household.bill.clone() };
        household.put_bill(&wrong, &wrong);
        let (code, said) = household.check("bill.json");
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("total, minor units  DIFFERS  20"), "{said}");
        assert_eq!(said.matches("agrees").count(), 3, "{said}");
    }

    #[test]
    fn a_bill_that_the_tre_did_not_sign_is_refused() {
        let household = Household::new();
        let total_minor = MinorUnits::new(21).expect("in range");
        household.put_bill(&Bill { total_minor, ..household.bill.clone() }, &household.bill);
        let (code, said) = household.check("bill.json");
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("expected a document signed by the TRE's document key"), "{said}");
    }

    #[test]
    fn a_receipt_that_was_tampered_with_is_refused() {
        let household = Household::new();
        let path: &Path = &household.folder.path().join("kept/receipts.json");
        let text = std::fs::read_to_string(path).expect("readable");
        std::fs::write(path, text.replace("\"import_wh\":1000", "\"import_wh\":100"))
            .expect("a file");
        let (code, said) = household.check("bill.json");
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("receipts.json: expected a document signed by"), "{said}");
    }

    #[test]
    fn what_was_kept_for_other_bills_need_not_be_good_any_more() {
        let household = Household::new();
        let path = household.folder.path().join("kept/receipts.json");
        let old = std::fs::read_to_string(&path).expect("readable");
        // Of another slot, and of no signature: as one whose certificate has ended.
        let old = old.replace("\"slot\":10", "\"slot\":9");
        std::fs::write(household.folder.path().join("kept/old.json"), old).expect("writable");
        assert_eq!(household.check("bill.json").0, Some(0));
    }

    #[test]
    fn certificates_are_judged_at_the_time_that_is_said() {
        let household = Household::new();
        // 1970; the certificates begin in 1975.
        let (code, said) = household.check_with("bill.json", &["--at", "1"]);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("bill.json: expected a document key certified by"), "{said}");
    }

    #[test]
    fn a_household_that_was_away_is_billed_at_the_mean() {
        let household = Household::new();
        let mean = Bill { basis: Basis::Mean, ..household.bill.clone() };
        household.put_bill(&mean, &mean);
        assert_eq!(household.check("bill.json").0, Some(1));
        assert_eq!(household.check_with("bill.json", &["--away", "20..30"]).0, Some(0));
        let (code, said) = household.check_with("bill.json", &["--away", "30..20"]);
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("expected FROM..TO"), "{said}");
    }

    #[test]
    fn a_file_that_is_missing_or_no_bill_is_named_as_the_failure() {
        let household = Household::new();
        let (code, said) = household.check("none.json");
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("none.json"), "{said}");
        let (code, said) = household.check("kept/prices.json");
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("expected a bill, found another document"), "{said}");
    }
}
