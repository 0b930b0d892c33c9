//! Who we are, as our own certificate says it.

use attest_verifier::ClientIdentity;
use tre_wire::role::{Identity, NotAnIdentity, Role};
use webpki::EndEntityCert;

/// Our key and certificates, with the name in them.
#[derive(Clone, Debug)]
pub struct Own {
    identity: Identity,
    credential: ClientIdentity,
}

/// Why a credential cannot be used for a role.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnError {
    /// The first certificate cannot be read.
    #[error("expected a certificate that `tre-pki issue` made: {0}")]
    Unreadable(#[source] webpki::Error),
    /// The certificate names nobody, or many.
    #[error("expected one identity in the certificate, found {found}")]
    Names {
        /// URIs found.
        found: usize,
    },
    /// The certificate's URI is not an identity.
    #[error("expected an identity in the certificate, found {found:?}: {source}")]
    NotAnIdentity {
        /// The URI.
        found: String,
        /// What it should be.
        source: NotAnIdentity,
    },
    /// The certificate is for another role.
    #[error("expected a certificate for the role {expected}, found one for {found}")]
    Role {
        /// The role that the calls need.
        expected: Role,
        /// Whom the certificate names.
        found: Identity,
    },
}

impl Own {
    /// Takes a credential for `role`.
    ///
    /// # Errors
    ///
    /// [`OwnError`]; nobody has been connected to yet.
    pub fn new(credential: ClientIdentity, role: Role) -> Result<Self, OwnError> {
        let identity = identity_of(&credential)?;
        if identity.role != role {
            return Err(OwnError::Role { expected: role, found: identity });
        }
        Ok(Self { identity, credential })
    }

    /// Who we are.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Key and certificates.
    #[must_use]
    pub const fn credential(&self) -> &ClientIdentity {
        &self.credential
    }
}

fn identity_of(credential: &ClientIdentity) -> Result<Identity, OwnError> {
    let leaf = credential.chain().first().ok_or(OwnError::Names { found: 0 })?;
    let certificate = EndEntityCert::try_from(leaf).map_err(OwnError::Unreadable)?;
    let names: Vec<&str> = certificate.valid_uri_names().collect();
    match names.as_slice() {
        [name] => name
            .parse()
            .map_err(|source| OwnError::NotAnIdentity { found: (*name).to_owned(), source }),
        _ => Err(OwnError::Names { found: names.len() }),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SanType};

    use super::*;

    fn credential(names: &[&str]) -> ClientIdentity {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        let name = |name: &&str| SanType::URI((*name).try_into().expect("ASCII"));
        params.subject_alt_names = names.iter().map(name).collect();
        let certificate = params.self_signed(&key).expect("a certificate");
        let pem = format!("{}{}", key.serialize_pem(), certificate.pem());
        ClientIdentity::from_pem(pem.as_bytes()).expect("a credential")
    }

    #[test]
    fn the_name_comes_from_the_certificate() {
        let own = Own::new(credential(&["spiffe://grid.example/meter/m1"]), Role::Meter);
        let own = own.expect("a meter");
        assert_eq!(own.identity().to_string(), "spiffe://grid.example/meter/m1");
    }

    #[test]
    fn another_role_is_refused_before_anybody_is_connected_to() {
        let refused = Own::new(credential(&["spiffe://grid.example/dno/d1"]), Role::Meter);
        let expected = "expected a certificate for the role meter, found one for \
                        spiffe://grid.example/dno/d1";
        assert_eq!(refused.map_err(|error| error.to_string()).err().as_deref(), Some(expected));
    }

    #[test]
    fn a_certificate_without_one_identity_is_refused() {
        let refusal = |names: &[&str]| match Own::new(credential(names), Role::Meter) {
            Ok(own) => panic!("expected a refusal, found {:?}", own.identity()),
            Err(error) => error.to_string(),
        };
        assert_eq!(refusal(&[]), "expected one identity in the certificate, found 0");
        let two = ["spiffe://grid.example/meter/m1", "spiffe://grid.example/meter/m2"];
        assert_eq!(refusal(&two), "expected one identity in the certificate, found 2");
        let expected = "expected an identity in the certificate, found \"https://grid.example\": \
                        expected spiffe://<trust-domain>/<role>/<id>";
        assert_eq!(refusal(&["https://grid.example"]), expected);
    }
}
