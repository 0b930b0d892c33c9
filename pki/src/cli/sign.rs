//! `sign-manifest`: the release key's word for an image.

use attest_verifier::core::measured_boot::manifest::Purpose;
use attest_verifier::core::release::MANIFEST_BYTES;
use attest_verifier::signature_path;
use pki::domain::KeyName;
use pki::file::{self, Access};
use pki::release::Signed;
use serde::Serialize;
use time::OffsetDateTime;
use tre_wire::hex::Hex32;
use tre_wire::json;
use tre_wire::units::UnixMillis;

use super::answer;
use crate::SignManifest;

#[derive(Serialize)]
struct Facts<'a> {
    manifest: String,
    manifest_sha256: Hex32,
    signature: String,
    key: Hex32,
    purpose: Purpose,
    image_sha256: Hex32,
    release: Option<u32>,
    platform: &'a str,
    /// Unit of both: seconds since 1970.
    valid_from: Option<u64>,
    valid_until: u64,
    unlocked_because: Option<&'a str>,
}

pub(crate) fn sign_manifest(sign: &SignManifest, now: UnixMillis) -> anyhow::Result<()> {
    let SignManifest { manifest, domain, out, unlocked_because, unlock, json } = sign;
    let path = out.clone().unwrap_or_else(|| signature_path(manifest));
    let file = file::read(manifest, u64::try_from(MANIFEST_BYTES)?)?;
    let domain = unlock.open(domain, KeyName::Release)?;
    let reason = unlocked_because.as_deref();
    let signed = domain.signer()?.sign(&file, domain.purpose(), reason, now)?;
    file::write_new(&path, &json::encode(&signed.signature)?, Access::Everybody)?;
    let facts = Facts {
        manifest: manifest.display().to_string(),
        manifest_sha256: signed.signature.sha256,
        signature: path.display().to_string(),
        key: signed.signature.key,
        purpose: signed.manifest.purpose,
        image_sha256: Hex32(signed.image().0),
        release: signed.number(),
        platform: &signed.manifest.platform.name,
        valid_from: signed.dates.from,
        valid_until: signed.dates.until,
        unlocked_because: reason,
    };
    answer(*json, &facts, &summary(&facts, &signed))
}

fn summary(facts: &Facts<'_>, signed: &Signed) -> String {
    let Facts { manifest, signature, image_sha256, platform, valid_until, .. } = facts;
    let purpose = if facts.purpose == Purpose::Demo { " for DEMO" } else { "" };
    let release = match signed.number() {
        Some(number) => format!("release {number}"),
        None => String::from("no release number"),
    };
    let from = facts.valid_from.map_or_else(|| String::from("now"), written);
    let until = written(*valid_until);
    let mut text = format!(
        "signed {manifest}{purpose}: {signature}\nimage SHA-256 {image_sha256} ({release}, \
         platform {platform})\nin force from {from} until {until}"
    );
    if let Some(reason) = facts.unlocked_because {
        text.push_str("\nits inputs were NOT those of the lock file: ");
        text.push_str(reason);
    }
    text
}

/// A second as people write it, in UTC; the number where it lies beyond the calendar.
fn written(seconds: u64) -> String {
    let moment = i64::try_from(seconds).ok();
    let moment = moment.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    let Some(moment) = moment else { return format!("second {seconds}") };
    let (year, month, day) = moment.to_calendar_date();
    let (hour, minute, second) = moment.to_hms();
    let month = u8::from(month);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_written_as_date_and_time() {
        assert_eq!(written(0), "1970-01-01T00:00:00Z");
        assert_eq!(written(1_800_000_000), "2027-01-15T08:00:00Z");
        assert_eq!(written(u64::MAX), "second 18446744073709551615");
    }
}
