//! Planted secrets are put together here, so that none stands in this file.

use super::*;

const DIGITS: &str = "0123456789";
const HEX: &str = "0123456789abcdef";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const ALNUM: &str = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ0123456789";

/// `length` characters of an alphabet, drawn by a small generator.
fn draw(alphabet: &str, length: usize, seed: u64) -> String {
    let alphabet: Vec<char> = alphabet.chars().collect();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            alphabet[(state >> 33) as usize % alphabet.len()]
        })
        .collect()
}

/// File, line that holds a secret.
fn planted() -> Vec<(&'static str, String)> {
    let a = |n: usize, seed| draw(ALNUM, n, seed);
    let h = |n: usize, seed| draw(HEX, n, seed);
    let uuid = format!("{}-{}-{}-{}-{}", h(8, 1), h(4, 2), h(4, 3), h(4, 4), h(12, 5));
    let pem = |kind: &str| format!("-----BEGIN {kind}-----\n{}\n{}\n-----END {kind}-----", a(64, 6), a(64, 7));
    vec![
        ("k.txt", pem("RSA PRIVATE KEY")),
        ("k.py", format!("KEY = \"{}\"", pem("PRIVATE KEY").replace('\n', "\\n"))),
        ("k.txt", pem("OPENSSH PRIVATE KEY")),
        ("k.txt", pem("EC PRIVATE KEY")),
        ("k.txt", pem("ENCRYPTED PRIVATE KEY")),
        ("k.txt", pem("PGP PRIVATE KEY BLOCK")),
        ("a.txt", format!("AGE-SECRET-KEY-1{}", draw("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58, 1))),
        ("a.py", format!("id = 'AKIA{}'", draw(UPPER, 16, 1))),
        ("a.py", format!("aws_secret_access_key = '{}'", a(40, 2))),
        ("a.js", format!("const k = \"AIza{}\";", a(35, 3))),
        ("a.js", format!("GOCSPX-{}", a(28, 3))),
        ("a.js", format!("ya29.{}", a(60, 3))),
        ("a.cs", format!("DefaultEndpointsProtocol=https;AccountName=x;AccountKey={}==;", a(86, 4))),
        ("a.cs", format!("secret: \"{}8Q~{}\"", a(3, 1), a(34, 5))),
        ("a.py", format!("ghp_{}", a(36, 6))),
        ("a.py", format!("url = https://x:gho_{}@github.com/a/b", a(36, 6))),
        ("a.py", format!("github_pat_{}_{}", a(22, 7), a(59, 8))),
        ("a.py", format!("glpat-{}", a(20, 9))),
        ("a.py", format!("xoxb-{}-{}-{}", draw(DIGITS, 12, 1), draw(DIGITS, 12, 2), a(24, 10))),
        (
            "a.md",
            format!("https://hooks.slack.com/services/T{}/B{}/{}", draw(UPPER, 8, 1), draw(UPPER, 8, 2), a(24, 11)),
        ),
        ("a.py", format!("https://discord.com/api/webhooks/{}/{}", draw(DIGITS, 18, 3), a(68, 12))),
        ("a.py", format!("bot = \"{}:AA{}\"", draw("123456789", 10, 4), a(33, 13))),
        ("a.rb", format!("sk_live_{}", a(24, 14))),
        ("a.rb", format!("SK{}", h(32, 15))),
        ("a.rb", format!("SG.{}.{}", a(22, 16), a(43, 17))),
        ("a.rb", format!("key-{}", h(32, 18))),
        ("a.rb", format!("{}-us12", h(32, 19))),
        ("a.yml", format!("//registry.npmjs.org/:_authToken=npm_{}", a(36, 20))),
        ("a.toml", format!("token = \"pypi-AgEIcHlwaS5vcmc{}\"", a(80, 21))),
        ("a.toml", format!("token = \"cio{}\"", a(32, 22))),
        ("a.sh", format!("dckr_pat_{}", a(27, 23))),
        ("a.sh", format!("hvs.{}", a(90, 24))),
        ("a.tf", format!("{}.atlasv1.{}", a(14, 25), a(67, 26))),
        ("a.sh", format!("dop_v1_{}", h(64, 27))),
        ("a.py", format!("dapi{}", h(32, 28))),
        ("a.py", format!("shpat_{}", h(32, 29))),
        ("a.py", format!("sk-ant-api03-{}-{}AA", a(50, 30), a(42, 31))),
        ("a.py", format!("sk-{}T3BlbkFJ{}", a(20, 32), a(20, 33))),
        ("a.py", format!("sk-proj-{}", a(100, 34))),
        ("a.py", format!("MOONSHOT_API_KEY = \"sk-{}\"", a(48, 35))),
        ("a.py", format!("ZHIPU_API_KEY = \"{}.{}\"", h(32, 36), a(16, 37))),
        ("a.py", format!("hf_{}", draw("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", 34, 38))),
        ("a.py", format!("gsk_{}", a(52, 39))),
        ("a.py", format!("r8_{}", a(37, 40))),
        ("a.py", format!("lin_api_{}", a(40, 41))),
        ("a.py", format!("NRAK-{}", draw("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", 27, 42))),
        ("a.py", format!("glsa_{}_{}", a(32, 43), h(8, 44))),
        ("a.py", format!("PMAK-{}-{}", h(24, 45), h(34, 46))),
        ("a.py", format!("heroku_api_key = '{uuid}'")),
        ("a.py", format!("DATABASE_URL=postgres://admin:{}@db.internal:5432/app", a(14, 47))),
        ("a.py", format!("redis://:{}@cache:6379/0", a(16, 48))),
        ("a.txt", format!("Authorization: Bearer {}", a(40, 49))),
        ("a.http", format!("Authorization: Basic {}==", a(30, 50))),
        ("a.js", format!("eyJhbGciOiJIUzI1NiJ9.eyJ{}.{}", a(60, 51), a(43, 52))),
        ("a.cs", format!("Server=db;User Id=sa;Password={};", a(14, 53))),
        ("settings.ini", format!("db_password = {}!7", a(10, 54))),
        ("deploy.sh", format!("export API_TOKEN={}", a(30, 55))),
        ("Dockerfile", format!("ENV SECRET_KEY {}", a(32, 56))),
        ("a.py", format!("password = \"{}#{}\"", a(7, 57), a(5, 58))),
        ("a.go", format!("encryptionKey := \"{}\"", h(64, 59))),
        ("a.py", format!("credentials = load(access, \"{}\")", a(44, 60))),
        ("config.json", format!("{{\"client_secret\": \"{}\"}}", a(32, 61))),
        ("config.json", format!("{{\"auths\": {{\"r.io\": {{\"auth\": \"{}=\"}}}}}}", a(39, 62))),
        ("a.sh", format!("curl -u admin:{} https://x.y", a(12, 63))),
        ("kubeconfig", format!("    client-key-data: {}==", a(200, 64))),
        ("a.txt", format!("machine api.x.y login me password {}", a(14, 65))),
    ]
}

fn scan(path: &str, content: &[u8]) -> Vec<Finding> {
    // Some hundred patterns are compiled once.
    static SCANNER: std::sync::LazyLock<Scanner> = std::sync::LazyLock::new(Scanner::new);
    let mut file = SCANNER.file(path);
    file.feed(content);
    file.finish()
}

#[test]
fn planted_secrets_are_found_at_their_place_and_masked() {
    let scanner = Scanner::new();
    let mut missed = Vec::new();
    for (path, text) in planted() {
        let content = format!("first line\n\n  {text}\nlast line\n");
        let mut file = scanner.file(path);
        file.feed(content.as_bytes());
        let findings = file.finish();
        match findings.first() {
            Some(finding) => {
                assert!(finding.line >= 3, "{finding:?} {text}");
                assert_eq!(finding.fingerprint.len(), 16);
                assert!(finding.masked.chars().count() < 24, "{finding:?}");
                assert_eq!(findings.len(), 1, "{text}: {findings:?}");
            }
            None => missed.push(text),
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn ordinary_text_raises_no_alarm() {
    let lines = [
        "password = os.environ['DB_PASSWORD']",
        "token: TokenKind::Identifier,",
        "let token = lexer.next_token();",
        "API_KEY=${API_KEY}",
        "export TOKEN=$(vault read secret/token)",
        "password: \"changeme\"",
        "secret = \"your-secret-key-here\"",
        "const TOKEN_URL = \"https://example.com/oauth/token\";",
        "postgres://user:password@localhost/db",
        "https://user:${PASSWORD}@host/",
        "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
        "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "\"integrity\": \"sha512-9NM8HOXVc3yM3LZHZr2OMqjPU+7p+N5U8hVDBCjXGmjMVx4Tqx3x8CkVPZLlvNRXLhqGBQYrUlKBqkRFqQ2Mbg==\"",
        "checksum = \"e8a0e0f6a7b7f3c0b8a1f5f24ef6b0b6c7d4a1a5c2d5e0a1b2c3d4e5f6a7b8c9\"",
        "assert_eq!(token.kind(), \"string_literal_token\");",
        "\"password_reset_token_expired_message\": \"The token has expired\"",
        "secret_name = \"projects/my-project/secrets/db-password/versions/3\"",
        "const ALPHABET: &str = \"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/\";",
        "if password == \"SomePassword\" {",
        "key = \"content-security-policy-report-only\"",
        "auth_token_header = \"X-Auth-Token-2\"",
    ];
    for line in lines {
        assert_eq!(scan("src/a.py", format!("{line}\n").as_bytes()), [], "{line}");
        assert_eq!(scan("a.yml", format!("{line}\n").as_bytes()), [], "{line}");
    }
}

#[test]
fn blocks_do_not_hide_a_secret_or_count_it_twice() {
    let scanner = Scanner::new();
    let secret = format!("ghp_{}", draw(ALNUM, 36, 6));
    let mut content = b"some text\n".repeat(3000);
    let at = content.len();
    content.extend(format!("key = {secret}\n").bytes());
    content.extend(b"more text\n".repeat(3000));
    let whole = {
        let mut file = scanner.file("a.txt");
        file.feed(&content);
        file.finish()
    };
    assert_eq!((whole.len(), whole[0].line, whole[0].column), (1, 3001, 7));
    for cut in (at - 60..at + 80).step_by(3) {
        let mut file = scanner.file("a.txt");
        file.feed(&content[..cut]);
        file.feed(&content[cut..]);
        assert_eq!(file.finish(), whole, "cut at {cut}");
    }
}

#[test]
fn wide_text_is_read_and_binary_files_are_searched_for_what_is_certain() {
    let secret = format!("ghp_{}", draw(ALNUM, 36, 6));
    let wide: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(format!("T={secret}\r\n").bytes().flat_map(|byte| [byte, 0])).collect();
    assert_eq!(scan("a.txt", &wide).len(), 1);
    let binary = [b"\0\0\x7fELF ".as_slice(), secret.as_bytes(), b"\0"].concat();
    assert_eq!(scan("a.bin", &binary).len(), 1);
}

#[test]
fn a_fingerprint_holds_while_lines_move() {
    let secret = format!("ghp_{}", draw(ALNUM, 36, 6));
    let first = scan("a.txt", secret.as_bytes());
    let moved = scan("a.txt", format!("\n\n{secret}").as_bytes());
    assert_eq!(first[0].fingerprint, moved[0].fingerprint);
    assert_ne!(first[0].fingerprint, scan("b.txt", secret.as_bytes())[0].fingerprint);
}
