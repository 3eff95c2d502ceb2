//! SCRAM: the RFC's vector, and every way to be refused.

use super::*;

/// A client: builds the final message for a password.
pub(crate) fn client_final(password: &str, bare: &str, server_first: &str, channel: &[u8]) -> String {
    let field = |name: &str| server_first.split(',').find_map(|part| part.strip_prefix(name)).unwrap();
    let salt = STANDARD.decode(field("s=")).unwrap();
    let mut salted = Key::default();
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), &salt, field("i=").parse().unwrap(), &mut salted);
    let client_key = hmac(&salted, &[b"Client Key"]);
    let stored_key: Key = Sha256::digest(client_key).into();
    let without_proof = format!("c={},r={}", STANDARD.encode(channel), field("r="));
    let said = format!("{bare},{server_first},{without_proof}");
    let signature = hmac(&stored_key, &[said.as_bytes()]);
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(key, signature)| key ^ signature).collect();
    format!("{without_proof},p={}", STANDARD.encode(proof))
}

/// The verifier of a password.
pub(crate) fn verifier(password: &str, salt: &[u8]) -> String {
    let mut salted = Key::default();
    pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, 4096, &mut salted);
    let stored_key = Sha256::digest(hmac(&salted, &[b"Client Key"]));
    let server_key = hmac(&salted, &[b"Server Key"]);
    let [salt, stored, server] = [salt, &stored_key[..], &server_key].map(|bytes| STANDARD.encode(bytes));
    format!("SCRAM-SHA-256$4096:{salt}${stored}:{server}")
}

fn pencil() -> Verifier {
    let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
    Verifier::parse(&verifier("pencil", &salt)).unwrap()
}

const PLAIN_OFFER: Offer<'static> = Offer { mechanism: PLAIN, binding: None };
const FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

fn begun() -> Exchange {
    begin(&PLAIN_OFFER, FIRST.as_bytes(), pencil(), NONCE).unwrap().1
}

#[test]
fn agrees_with_rfc_7677() {
    let (first, exchange) = begin(&PLAIN_OFFER, FIRST.as_bytes(), pencil(), NONCE).unwrap();
    let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    assert_eq!(first, format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"));
    let last = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    let answer = exchange.finish(last.as_bytes()).unwrap().unwrap();
    assert_eq!(answer, "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

#[test]
fn refuses_a_wrong_password_and_a_mock() {
    let wrong = |verifier: Verifier, password: &str| {
        let (first, exchange) = begin(&PLAIN_OFFER, FIRST.as_bytes(), verifier, NONCE).unwrap();
        exchange.finish(client_final(password, &FIRST[3..], &first, b"n,,").as_bytes()).unwrap()
    };
    assert!(wrong(pencil(), "pencil").is_some());
    assert!(wrong(pencil(), "Pencil").is_none());
    assert!(wrong(Verifier::mock(&[7; 32], "user"), "pencil").is_none());
    // Even a proof made from the mock's own keys is none.
    let mock = Verifier { mock: true, ..pencil() };
    assert!(wrong(mock, "pencil").is_none());
}

#[test]
fn a_mock_shows_the_same_salt_for_the_same_name() {
    let salt = |secret: u8, user: &str| Verifier::mock(&[secret; 32], user).salt;
    assert_eq!(salt(1, "ana"), salt(1, "ana"));
    assert_ne!(salt(1, "ana"), salt(1, "bob"));
    assert_ne!(salt(1, "ana"), salt(2, "ana"));
    assert_eq!(salt(1, "ana").len(), 16);
}

fn refused(result: Result<Option<String>>) -> (String, String, String) {
    let error = result.unwrap_err();
    let detail = error.detail().unwrap_or_default().to_owned();
    (error.state().code().to_owned(), error.message().to_owned(), detail)
}

#[test]
fn refuses_wrong_final_messages() {
    let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    let message = |text: String| refused(begun().finish(text.as_bytes()));
    assert_eq!(
        message(format!("c=biws,r={nonce}x,p={proof}")),
        ("08P01".into(), "invalid SCRAM response".into(), "Nonce does not match.".into())
    );
    assert_eq!(message("c=biws,r=rOprNGfwEbeRWgbNEkqO,p=".to_owned() + proof).2, "Nonce does not match.");
    assert_eq!(
        message(format!("c=eSws,r={nonce},p={proof}")).1,
        "unexpected SCRAM channel-binding attribute in client-final-message"
    );
    let garbage = "Garbage found at the end of client-final-message.";
    assert_eq!(message(format!("c=biws,r={nonce},p={proof},x=y")).2, garbage);
    let malformed = "Malformed proof in client-final-message.";
    assert_eq!(message(format!("c=biws,r={nonce},p=dHzb")).2, malformed);
    assert_eq!(message(format!("c=biws,r={nonce},p=%%%")).2, malformed);
    assert_eq!(message(format!("c=biws,r={nonce}")).2, "Attribute expected, but found end of string.");
    assert_eq!(message(String::new()).2, "The message is empty.");
    assert_eq!(message("c=biws\0".into()).2, "Message length does not match input length.");
    // An extension before the proof is part of what is proven; with this proof it is a wrong one.
    assert!(begun().finish(format!("c=biws,r={nonce},x=y,p={proof}").as_bytes()).unwrap().is_none());
}

#[test]
fn refuses_wrong_first_messages() {
    let message = |offer: &Offer<'_>, text: &str| {
        let error = begin(offer, text.as_bytes(), pencil(), NONCE).err().unwrap();
        (error.state().code().to_owned(), error.message().to_owned())
    };
    let plain = |text: &str| message(&PLAIN_OFFER, text);
    let malformed = ("08P01".to_owned(), "malformed SCRAM message".to_owned());
    for text in ["", "x,,n=u,r=a", "n", "n,", "n;,n=u,r=a", "n,,", "n,,r=a,n=u", "n,,n=u", "n,,n=u,x=a", "n,b=,n=u,r=a"]
    {
        assert_eq!(plain(text), malformed, "{text}");
    }
    assert_eq!(plain("n,,n=u,r=").1, "non-printable characters in SCRAM nonce");
    assert_eq!(plain("n,,n=u,r=a b").1, "non-printable characters in SCRAM nonce");
    assert_eq!(plain("n,a=root,n=u,r=a").0, "0A000");
    assert_eq!(plain("n,,m=x,n=u,r=a").0, "0A000");
    assert_eq!(plain("p=tls-server-end-point,,n=u,r=a"), malformed);
    assert!(begin(&PLAIN_OFFER, b"y,,n=u,r=a", pencil(), NONCE).is_ok());
}

#[test]
fn binds_to_the_channel() {
    let hash = [9u8; 32];
    let plus = Offer { mechanism: PLUS, binding: Some(&hash) };
    let bare = "n=user,r=abc";
    let bound = |channel: &[u8]| {
        let message = format!("p=tls-server-end-point,,{bare}");
        let (first, exchange) = begin(&plus, message.as_bytes(), pencil(), NONCE).unwrap();
        exchange.finish(client_final("pencil", bare, &first, channel).as_bytes())
    };
    let mut channel = b"p=tls-server-end-point,,".to_vec();
    channel.extend_from_slice(&hash);
    assert!(bound(&channel).unwrap().is_some());
    channel[30] ^= 1;
    assert_eq!(refused(bound(&channel)).1, "SCRAM channel binding check failed");
    assert_eq!(refused(bound(b"n,,")).0, "28000");
    let error = |offer: &Offer<'_>, text: &str| {
        begin(offer, text.as_bytes(), pencil(), NONCE).err().unwrap().message().to_owned()
    };
    // The client could bind and was led to think that we cannot: a downgrade.
    let plain = Offer { mechanism: PLAIN, binding: Some(&hash) };
    assert_eq!(error(&plain, "y,,n=u,r=a"), "SCRAM channel binding negotiation error");
    assert_eq!(error(&plus, "n,,n=u,r=a"), "malformed SCRAM message");
    assert_eq!(error(&plus, "y,,n=u,r=a"), "malformed SCRAM message");
    assert_eq!(error(&plain, "p=tls-server-end-point,,n=u,r=a"), "malformed SCRAM message");
    assert_eq!(error(&plus, "p=tls-unique,,n=u,r=a"), "unsupported SCRAM channel-binding type \"tls-unique\"");
    assert!(begin(&plain, b"n,,n=u,r=a", pencil(), NONCE).is_ok());
}

#[test]
fn parses_verifiers_strictly() {
    assert!(Verifier::parse(&verifier("x", b"salt")).is_some());
    for text in ["", "md5abc", "SCRAM-SHA-256$4096:c2FsdA==", "SCRAM-SHA-256$0:c2FsdA==$QQ==:QQ==", "secret"] {
        assert!(Verifier::parse(text).is_none(), "{text}");
    }
}

#[test]
fn no_message_panics() {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    let mut random = StdRng::seed_from_u64(11);
    let hash = [9u8; 32];
    let mutate = |text: &str, random: &mut StdRng| {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..random.random_range(0..4) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..4) {
                0 => bytes[at] = random.random(),
                1 => bytes[at] = b",=npy\xc3\xa4"[at % 7],
                2 => bytes.insert(at, b",=\xc3\xa4"[at % 4]),
                _ => bytes.truncate(at.max(1)),
            }
        }
        bytes
    };
    for round in 0..20_000 {
        let plus = round % 2 == 0;
        let offer = Offer { mechanism: if plus { PLUS } else { PLAIN }, binding: plus.then_some(&hash[..]) };
        let first = if plus { "p=tls-server-end-point,,n=ana,r=abc,x=y" } else { FIRST };
        if let Ok((_, exchange)) = begin(&offer, &mutate(first, &mut random), Verifier::mock(&[1; 32], "a"), NONCE) {
            let Exchange { channel, nonce, .. } = &exchange;
            let last = format!("c={channel},r={nonce},x=y,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
            assert!(!matches!(exchange.finish(&mutate(&last, &mut random)), Ok(Some(_))));
        }
    }
}
