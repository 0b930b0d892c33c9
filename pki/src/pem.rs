//! Certificates as text. `[RFC7468]`

use pem::{EncodeConfig, LineEnding, Pem};
use rustls_pki_types::CertificateDer;

/// One certificate in PEM.
pub(crate) fn certificate(der: &CertificateDer<'_>) -> String {
    let config = EncodeConfig::new().set_line_ending(LineEnding::LF);
    pem::encode_config(&Pem::new("CERTIFICATE", der.to_vec()), config)
}
