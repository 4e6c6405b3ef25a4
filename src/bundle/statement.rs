//! The in-toto Statement (v1) over everything in a bundle, with a SLSA provenance (v1) that says of which inputs
//! it was made; and its Ed25519 signature (RFC 8032) in a DSSE envelope (v1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::payload::Payload;
use crate::packing::sha256;

pub const STATEMENT: &str = "statement.intoto.json";
pub const ENVELOPE: &str = "statement.dsse.json";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "https://slsa.dev/provenance/v1";
/// What kind of build made it, in the words of the provenance.
const BUILD_TYPE: &str = "urn:stagegate:validation-bundle:v1";

/// Something a bundle was made of: URI, algorithm, digest.
pub struct Material {
    pub uri: String,
    pub algorithm: String,
    pub digest: String,
}

/// The statement's text.
pub fn statement(files: &[Payload], materials: &[Material], parameters: &Value, finished_on: &str) -> String {
    let subject = |file: &Payload| json!({"name": file.name, "digest": {"sha256": file.sha256}});
    let material = |material: &Material| json!({"uri": material.uri, "digest": {&material.algorithm: material.digest}});
    let value = json!({
        "_type": STATEMENT_TYPE,
        "subject": files.iter().map(subject).collect::<Vec<_>>(),
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": parameters,
                "resolvedDependencies": materials.iter().map(material).collect::<Vec<_>>(),
            },
            "runDetails": {
                "builder": {"id": "urn:stagegate", "version": {"stagegate": env!("CARGO_PKG_VERSION")}},
                "metadata": {"finishedOn": finished_on},
            },
        },
    });
    format!("{value:#}\n")
}

/// The names and digests that a statement speaks for.
///
/// # Errors
/// Why it is no such statement.
pub fn subjects(text: &[u8]) -> Result<Vec<(String, String)>, String> {
    let value: Value = serde_json::from_slice(text).map_err(|error| format!("not JSON: {error}"))?;
    if value["_type"] != STATEMENT_TYPE || value["predicateType"] != PREDICATE_TYPE {
        return Err("not an in-toto Statement v1 with a provenance v1".into());
    }
    let subject = |subject: &Value| {
        let (name, digest) = (subject["name"].as_str()?, subject["digest"]["sha256"].as_str()?);
        Some((name.to_owned(), digest.to_owned()))
    };
    let subjects = value["subject"].as_array().ok_or("it has no subjects")?;
    subjects.iter().map(subject).collect::<Option<Vec<_>>>().ok_or_else(|| "a subject has no name or digest".into())
}

/// A DSSE envelope.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Debug, Serialize, Deserialize)]
struct EnvelopeSignature {
    keyid: String,
    sig: String,
}

/// What DSSE signs instead of the bare payload, so that its type is signed too.
fn signed_bytes(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// SHA-256 of the public key (SubjectPublicKeyInfo, DER), hexadecimal.
fn key_id(key: &VerifyingKey) -> String {
    key.to_public_key_der().map(|der| sha256(der.as_bytes())).unwrap_or_default()
}

/// Reads a private key: PKCS#8 PEM, as `openssl genpkey -algorithm ed25519` writes it.
///
/// # Errors
/// Why it is none.
pub fn signing_key(pem: &str) -> Result<SigningKey, String> {
    SigningKey::from_pkcs8_pem(pem).map_err(|error| format!("not an Ed25519 private key in PKCS#8 PEM: {error}"))
}

/// The statement in its signed envelope.
pub fn sign(statement: &str, key: &SigningKey) -> String {
    let signature = key.sign(&signed_bytes(statement.as_bytes()));
    let envelope = Envelope {
        payload_type: PAYLOAD_TYPE.into(),
        payload: STANDARD.encode(statement),
        signatures: vec![EnvelopeSignature {
            keyid: key_id(&key.verifying_key()),
            sig: STANDARD.encode(signature.to_bytes()),
        }],
    };
    let mut text = serde_json::to_string_pretty(&envelope).expect("strings only");
    text.push('\n');
    text
}

/// Who signed an envelope over `statement`: the id of the key, and whether it is `trusted` (SPKI PEM) and the
/// signature holds. Without a trusted key only the id is known, as the envelope claims it.
///
/// # Errors
/// Why the envelope proves nothing.
pub fn verify(envelope: &[u8], statement: &[u8], trusted: Option<&str>) -> Result<String, String> {
    let envelope: Envelope =
        serde_json::from_slice(envelope).map_err(|error| format!("not a DSSE envelope: {error}"))?;
    if envelope.payload_type != PAYLOAD_TYPE {
        return Err("the envelope is not one of an in-toto statement".into());
    }
    let payload = STANDARD.decode(&envelope.payload).map_err(|error| format!("the payload is not base64: {error}"))?;
    if payload != statement {
        return Err(format!("the signed statement is not {STATEMENT}"));
    }
    let Some(pem) = trusted else {
        return envelope
            .signatures
            .first()
            .map(|signature| signature.keyid.clone())
            .ok_or_else(|| "no signature".into());
    };
    let key = VerifyingKey::from_public_key_pem(pem)
        .map_err(|error| format!("the public key is not Ed25519 in PEM: {error}"))?;
    let holds = |signature: &EnvelopeSignature| {
        let bytes = STANDARD.decode(&signature.sig).ok()?;
        let signature = Signature::from_slice(&bytes).ok()?;
        key.verify_strict(&signed_bytes(&payload), &signature).ok()
    };
    if envelope.signatures.iter().any(|signature| holds(signature).is_some()) {
        return Ok(key_id(&key));
    }
    Err("the signature is not one of the given public key over this statement".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    // openssl genpkey -algorithm ed25519; the scalar is that of RFC 8032, 7.1, test 1
    fn key() -> SigningKey {
        let seed = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44, 0x49,
            0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ];
        SigningKey::from_bytes(&seed)
    }

    fn public(key: &SigningKey) -> String {
        key.verifying_key().to_public_key_pem(Default::default()).unwrap()
    }

    #[test]
    fn a_signature_holds_for_its_key_and_statement_only() {
        let files =
            [Payload { name: "data/a".into(), bytes: 1, sha256: "00".repeat(32), lines: None, redacted: false }];
        let text = statement(&files, &[], &json!({}), "2025-11-18T12:00:00Z");
        assert_eq!(subjects(text.as_bytes()).unwrap(), [("data/a".to_owned(), "00".repeat(32))]);
        let envelope = sign(&text, &key());
        let pem = public(&key());
        assert_eq!(verify(envelope.as_bytes(), text.as_bytes(), Some(&pem)).unwrap().len(), 64);
        let other = public(&SigningKey::from_bytes(&[7; 32]));
        assert!(
            verify(envelope.as_bytes(), text.as_bytes(), Some(&other)).unwrap_err().contains("not one of the given")
        );
        let changed = text.replace("data/a", "data/b");
        assert!(verify(envelope.as_bytes(), changed.as_bytes(), Some(&pem)).unwrap_err().contains("is not statement"));
        let forged = sign(&changed, &SigningKey::from_bytes(&[7; 32]));
        assert!(verify(forged.as_bytes(), changed.as_bytes(), Some(&pem)).is_err());
    }
}
