//! What a TRE signs, and the key it signs with.
//!
//! The key's certificate is fetched over an attested connection and checked all the same: a
//! receipt must convince others, later, who never saw that connection.

use core::time::Duration;

use attest_verifier_core::reference::Reference;
use attest_verifier_core::revocation::Revocations;
use attest_verifier_core::wire::deployment::Deployment;
use attest_verifier_core::wire::document;
use attest_verifier_core::wire::hex::HexBytes;
use attest_verifier_core::wire::id::{EventId, PeerId};
use attest_verifier_core::wire::message::Signed;
use attest_verifier_core::wire::message::dno::Aggregates;
use attest_verifier_core::wire::message::dsm::PseudoBids;
use attest_verifier_core::wire::message::kept::{Content, Kept};
use attest_verifier_core::wire::message::meter::{MeterPrices, Reading, Receipt, Receipts};
use attest_verifier_core::wire::message::supplier::Bill;
use attest_verifier_core::wire::role::{Identity, Role};
use attest_verifier_core::wire::units::UnixMillis;
use attest_verifier_core::{ChainError, direct};
use rustls::pki_types::{CertificateDer, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// id-kp-documentSigning, 1.3.6.1.5.5.7.3.36, without tag and length. `[RFC9336]`
const DOCUMENT_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x24];

/// The key with which one TRE signs documents.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DocumentKey {
    tre: Identity,
    leaf: CertificateDer<'static>,
}

/// Why certificates do not lead to the document key of a TRE.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentKeyError {
    /// No certificate at all.
    #[error("expected the certificate of the TRE's document key, found none")]
    Missing,
    /// A TRE authority of the deployment is not a certificate.
    #[error("expected certificates as TRE authorities of the deployment: {0}")]
    Authority(webpki::Error),
    /// The leaf is not a certificate.
    #[error("expected the certificate of the TRE's document key: {0}")]
    Unreadable(webpki::Error),
    /// The status key has taken the key out of use. When a document was signed only the TRE's
    /// word says, so none is believed, whatever its date.
    #[error(transparent)]
    Revoked(ChainError),
    /// No valid way to an authority that certifies TREs.
    #[error("expected a document key certified by a TRE authority of the deployment: {0}")]
    Untrusted(webpki::Error),
    /// The certificate names somebody else.
    #[error("expected the document key of {expected}, found {found:?}")]
    Identity {
        /// The TRE.
        expected: Identity,
        /// The URIs that the certificate names.
        found: Vec<String>,
    },
}

/// Why receipts are worth nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Not one for each reading.
    #[error("expected {expected} receipts, found {found}")]
    Count {
        /// Readings sent.
        expected: usize,
        /// Receipts found.
        found: usize,
    },
    /// A receipt for something that was not sent.
    #[error("expected receipt {position} to repeat {expected:?}, found {found:?}")]
    Other {
        /// Place in the batch, from 0.
        position: usize,
        /// The reading sent.
        expected: Reading,
        /// The receipt.
        found: Receipt,
    },
    /// The signature is not the document key's over these receipts.
    #[error("expected receipts signed by the TRE's document key")]
    Signature,
}

/// By whose word a document key is believed.
#[derive(Clone, Copy, Debug)]
pub struct Anchors<'a> {
    /// Who certifies TREs.
    pub deployment: &'a Deployment,
    /// The keys that are no longer believed, where somebody has a list.
    pub revocations: Option<&'a Revocations>,
}

impl<'a> From<&'a Reference> for Anchors<'a> {
    fn from(reference: &'a Reference) -> Self {
        Self { deployment: reference.deployment(), revocations: reference.revocations() }
    }
}

impl DocumentKey {
    /// The document key that `chain` (DER, leaf first) certifies for `tre`.
    ///
    /// # Errors
    ///
    /// [`DocumentKeyError`].
    pub fn check(
        chain: &[HexBytes],
        anchors: Anchors<'_>,
        tre: &Identity,
        now: UnixMillis,
    ) -> Result<Self, DocumentKeyError> {
        let Anchors { deployment, revocations } = anchors;
        let (leaf, above) = chain.split_first().ok_or(DocumentKeyError::Missing)?;
        let der = |bytes: &HexBytes| CertificateDer::from(bytes.0.clone());
        let (leaf, above) = (der(leaf), above.iter().map(der).collect::<Vec<_>>());
        let authorities: Vec<_> = deployment.tre_authorities.iter().map(der).collect();
        let anchors = authorities.iter().map(anchor_from_trusted_cert);
        let anchors =
            anchors.collect::<Result<Vec<_>, _>>().map_err(DocumentKeyError::Authority)?;
        let certificate = EndEntityCert::try_from(&leaf).map_err(DocumentKeyError::Unreadable)?;
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now.get()));
        let usage = KeyUsage::required(DOCUMENT_SIGNING);
        certificate
            .verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &anchors,
                &above,
                now,
                usage,
                None,
                Some(&direct),
            )
            .map_err(DocumentKeyError::Untrusted)?;
        let found: Vec<String> = certificate.valid_uri_names().map(ToString::to_string).collect();
        if found != [tre.to_string()] {
            return Err(DocumentKeyError::Identity { expected: tre.clone(), found });
        }
        if let Some(revocations) = revocations {
            let key = certificate.subject_public_key_info();
            revocations.check(&key).map_err(DocumentKeyError::Revoked)?;
        }
        Ok(Self { tre: tre.clone(), leaf })
    }

    /// Checks the answer to a batch of readings that `meter` sent.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`].
    pub fn check_receipts(
        &self,
        meter: &Identity,
        sent: &[Reading],
        answer: &Receipts,
    ) -> Result<(), ReceiptError> {
        let Receipts { receipts, signature } = answer;
        if receipts.len() != sent.len() {
            return Err(ReceiptError::Count { expected: sent.len(), found: receipts.len() });
        }
        for (position, (&expected, &found)) in sent.iter().zip(receipts).enumerate() {
            if reading_of(found) != expected {
                return Err(ReceiptError::Other { position, expected, found });
            }
        }
        let signed = document::receipts(self.tre.id.as_str(), meter.id.as_str(), receipts);
        self.verify(&signed, signature).map_err(|NotSigned| ReceiptError::Signature)
    }

    /// Whether the TRE signed these prices.
    ///
    /// # Errors
    ///
    /// [`NotSigned`].
    pub fn check_prices(&self, prices: &Signed<MeterPrices>) -> Result<(), NotSigned> {
        let signed = document::prices(self.tre.id.as_str(), &prices.document);
        self.verify(&signed, &prices.signature)
    }

    /// Whether the TRE signed this bill.
    ///
    /// # Errors
    ///
    /// [`NotSigned`].
    pub fn check_bill(&self, bill: &Signed<Bill>) -> Result<(), NotSigned> {
        self.verify(&document::bill(self.tre.id.as_str(), &bill.document), &bill.signature)
    }

    /// Whether the TRE signed these sums for this network operator.
    ///
    /// # Errors
    ///
    /// [`NotSigned`].
    pub fn check_aggregates(
        &self,
        dno: &PeerId,
        sums: &Signed<Aggregates>,
    ) -> Result<(), NotSigned> {
        let rows = &sums.document.aggregates;
        self.verify(&document::aggregates(self.tre.id.as_str(), dno, rows), &sums.signature)
    }

    /// Whether the TRE signed these pseudo-bids of this demand side manager's event.
    ///
    /// # Errors
    ///
    /// [`NotSigned`].
    pub fn check_pseudo_bids(
        &self,
        dsm: &PeerId,
        event: &EventId,
        bids: &Signed<PseudoBids>,
    ) -> Result<(), NotSigned> {
        let rows = &bids.document.pseudo_bids;
        let signed = document::pseudo_bids(self.tre.id.as_str(), dsm, event, rows);
        self.verify(&signed, &bids.signature)
    }

    fn verify(&self, signed: &[u8], signature: &HexBytes) -> Result<(), NotSigned> {
        let certificate = EndEntityCert::try_from(&self.leaf).map_err(|_| NotSigned)?;
        certificate
            .verify_signature(webpki::ring::ECDSA_P256_SHA256, signed, signature.as_slice())
            .map_err(|_| NotSigned)
    }
}

/// The signature is not the document key's over this document.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("expected a document signed by the TRE's document key")]
pub struct NotSigned;

/// Why a document that somebody kept convinces nobody.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeptError {
    /// The certificates in it.
    #[error(transparent)]
    Key(DocumentKeyError),
    /// The signature.
    #[error(transparent)]
    Signature(NotSigned),
}

/// Judges a document that somebody kept, by nothing but its anchors: who is trusted to certify a
/// TRE, and which keys no longer.
///
/// # Errors
///
/// [`KeptError`].
pub fn check_kept(kept: &Kept, anchors: Anchors<'_>, now: UnixMillis) -> Result<(), KeptError> {
    let tre = Identity {
        trust_domain: anchors.deployment.trust_domain.clone(),
        role: Role::Tre,
        id: kept.tre.clone(),
    };
    let key = DocumentKey::check(&kept.document_chain, anchors, &tre, now);
    let key = key.map_err(KeptError::Key)?;
    let checked = match &kept.content {
        Content::Receipts { meter, receipts } => {
            let signed = document::receipts(tre.id.as_str(), meter.as_str(), &receipts.receipts);
            key.verify(&signed, &receipts.signature)
        }
        Content::Prices(prices) => key.check_prices(prices),
        Content::Aggregates { dno, sums } => key.check_aggregates(dno, sums),
        Content::PseudoBids { dsm, event, bids } => key.check_pseudo_bids(dsm, event, bids),
        Content::Bill(bill) => key.check_bill(bill),
    };
    checked.map_err(KeptError::Signature)
}

/// The reading that a receipt repeats.
const fn reading_of(receipt: Receipt) -> Reading {
    let Receipt { slot, import_wh, export_wh, seq, .. } = receipt;
    Reading { slot, import_wh, export_wh, seq }
}

#[cfg(test)]
mod tests;
