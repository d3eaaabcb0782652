/** Each kind of secret, what is left of a text that holds it, and texts that hold none. */
import { describe, expect, test } from "bun:test";
import { mark, redactText } from "./support.ts";

/** Words are joined here, so that this file holds no credential that a scanner of repositories would report. */
function join(...parts: readonly string[]): string {
  return parts.join("");
}

const BODY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const HEX32 = "0123456789abcdef0123456789abcdef";

const CREDENTIALS: readonly (readonly [string, string])[] = [
  ["aws_access_key", join("AKIA", "IOSFODNN7EXAMPLE")],
  ["aws_access_key", join("ASIA", "IOSFODNN7EXAMPLE")],
  ["github_token", join("ghp", "_", BODY.slice(0, 36))],
  ["github_token", join("gho", "_", BODY.slice(0, 36))],
  ["github_token", join("github", "_pat_", BODY.slice(0, 22), "_", BODY.slice(0, 59))],
  ["gitlab_token", join("glpat", "-", BODY.slice(10, 30))],
  ["slack_token", join("xoxb", "-123456789012-1234567890123-", BODY.slice(0, 24))],
  ["slack_token", join("xapp", "-1-A0000000000-1234567890-", HEX32)],
  ["anthropic_key", join("sk-", "ant-api03-", BODY.slice(0, 40), "-", BODY.slice(0, 12))],
  ["openai_key", join("sk-", "proj-", BODY)],
  ["openai_key", join("sk-", BODY.slice(0, 48))],
  ["google_api_key", join("AI", "za", BODY.slice(0, 35))],
  ["google_token", join("ya29", ".", BODY)],
  ["google_token", join("GOCSPX", "-", BODY.slice(0, 28))],
  ["stripe_key", join("sk", "_live_", BODY.slice(0, 24))],
  ["stripe_key", join("rk", "_test_", BODY.slice(0, 24))],
  ["npm_token", join("npm", "_", BODY.slice(0, 36))],
  ["twilio_key", join("S", "K", HEX32)],
  ["sendgrid_key", join("SG", ".", BODY.slice(0, 22), ".", BODY.slice(0, 43))],
  ["mailgun_key", join("key", "-", HEX32)],
  ["pypi_token", join("pypi", "-AgEIcHlwaS5vcmc", BODY)],
  ["huggingface_token", join("hf", "_", BODY.slice(0, 34))],
  ["digitalocean_token", join("dop", "_v1_", HEX32, HEX32)],
  ["vault_token", join("hvs", ".", BODY.slice(0, 24))],
  ["databricks_token", join("dapi", HEX32)],
  ["docker_token", join("dckr", "_pat_", BODY.slice(0, 27))],
  ["shopify_token", join("shpat", "_", HEX32)],
  ["telegram_token", join(":A", "A", BODY.slice(0, 33))],
  ["jwt", join("eyJhbGciOiJIUzI1NiJ9", ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.", "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U")],
  ["jwt", join("eyJhbGciOiJub25lIn0", ".eyJzdWIiOiIxMjM0In0", ".")],
  ["card", "4111111111111111"],
  ["card", "4111 1111 1111 1111"],
  ["card", "5500-0000-0000-0004"],
  ["card", "378282246310005"],
  ["card", "3782 822463 10005"],
  ["email", "bob.smith+tag@mail.example.com"],
  ["high_entropy", "aB3dE5gH7jK9mN1pQ3rStU5vW7"],
  ["high_entropy", "q7Zl3XUtn0FEc/M9IbK7MDe4NGw2bPx4RfiCYz0Eb8AmP"],
  ["high_entropy", "Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3A="],
  ["private_key", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"],
  ["private_key", "-----BEGIN OPENSSH PRIVATE KEY-----\\nb3Bl\\n-----END OPENSSH PRIVATE KEY-----"],
  ["private_key", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ\n-----END PGP PRIVATE KEY BLOCK-----"],
];

describe("a credential", () => {
  test.each(CREDENTIALS)("%s %#", (kind, secret) => {
    expect(redactText(`use "${secret}" here`)).toBe(`use "${mark(kind, secret)}" here`);
    expect(redactText(secret)).toBe(mark(kind, secret));
  });

  test("the same secret has the same mark in any text, another has another", () => {
    const [one, other] = [join("ghp", "_", BODY.slice(0, 36)), join("ghp", "_", BODY.slice(1, 37))];
    expect(redactText(`${one},${other},${one}`)).toBe(
      [one, other, one].map((secret) => mark("github_token", secret)).join(","),
    );
  });

  test("a private key that is cut off hides the rest of the text", () => {
    const text = "x -----BEGIN PRIVATE KEY-----\nMIIE\nAAAA";
    expect(redactText(text)).toBe(`x ${mark("private_key", text.slice(2))}`);
  });

  test("a private key behind a certificate without an end is found", () => {
    const key = "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----";
    expect(redactText(`-----BEGIN CERTIFICATE-----\nMIIC\n${key}`)).toBe(
      `-----BEGIN CERTIFICATE-----\nMIIC\n${mark("private_key", key)}`,
    );
  });
});

const PLACED: readonly (readonly [string, string, string, string])[] = [
  ["postgres://u:p%40ss@db/x", "url_password", "p%40ss", "postgres://u:@@db/x"],
  ["redis://:hunter2@h:6379", "url_password", "hunter2", "redis://:@@h:6379"],
  ["mongodb+srv://u:a@b@c.example/db", "url_password", "a@b", "mongodb+srv://u:@@c.example/db"],
  ["postgres://u:p/ss@host/db", "url_password", "p/ss", "postgres://u:@@host/db"],
  ["AccountName=x;AccountKey=ab/cd+ef==;Suffix=y", "secret", "ab/cd+ef==", "AccountName=x;AccountKey=@;Suffix=y"],
  ["export AWS_SECRET_ACCESS_KEY=abc/def", "secret", "abc/def", "export AWS_SECRET_ACCESS_KEY=@"],
  ["https://h/p?api_key=abcd&x=1", "secret", "abcd", "https://h/p?api_key=@&x=1"],
  ['{"password":"hun\\"ter2","a":1}', "password", 'hun\\"ter2', '{"password":"@","a":1}'],
  ['{\\"api_key\\": \\"abc123\\"}', "secret", "abc123", '{\\"api_key\\": \\"@\\"}'],
  ["dbPassword = 'let me in'", "password", "let me in", "dbPassword = '@'"],
  [":password => 'hunter2'", "password", "hunter2", ":password => '@'"],
  ['if (password === "hunter2")', "password", "hunter2", 'if (password === "@")'],
  ["password := hunter2", "password", "hunter2", "password := @"],
  ["Authorization: Basic dXNlcjpw\nHost: x", "authorization", "dXNlcjpw", "Authorization: Basic @\nHost: x"],
  ["Authorization: abc def", "authorization", "def", "Authorization: abc @"],
  ["cookie: a=b; c=d\nx", "authorization", "a=b; c=d", "cookie: @\nx"],
  ["github_token=abcd1234efgh", "secret", "abcd1234efgh", "github_token=@"],
  ["app --password 'hunter two' x", "password", "hunter two", "app --password '@' x"],
  ["mysql -uroot -phunter2 db", "password", "hunter2", "mysql -uroot -p@ db"],
  ["cd /x; sshpass -p hunter2 ssh h", "password", "hunter2", "cd /x; sshpass -p @ ssh h"],
  ["curl -s -u user:pw http://x", "password", "pw", "curl -s -u user:@ http://x"],
  ["openssl rsa -passin pass:foo -in k", "password", "foo", "openssl rsa -passin pass:@ -in k"],
  ["docker login -u a -p secretpw reg", "password", "secretpw", "docker login -u a -p @ reg"],
  [
    "https://hooks.slack.com/services/T00000000/B00000000/X0000000",
    "slack_webhook",
    "T00000000/B00000000/X0000000",
    "https://hooks.slack.com/services/@",
  ],
];

describe("a secret by its place", () => {
  test.each(PLACED)("%s", (text, kind, secret, left) => {
    expect(redactText(text)).toBe(left.replace("@", () => mark(kind, secret)));
  });
});

const HARMLESS: readonly string[] = [
  "",
  "nothing to see",
  "d670460b4b4aece5915caf5c68d12f560a9fe3e4",
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "550e8400-e29b-41d4-a716-446655440000",
  "01ARZ3NDEKTSV4RRFFQ69G5FAV",
  "sha512-AbC+/xyz1234567890ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789abcdEF==",
  "AbstractSingletonProxyFactoryBean2Configuration",
  "some_very_long_snake_case_identifier_name2",
  "react-dom-server-18-2-0-production-min",
  "src/components/ButtonGroup/ButtonGroupItem2.test.tsx",
  "task-runner sk-learn-something-very-long-name",
  "1767323045000006 1234567890123456789",
  "2026-01-02T03:04:05.000006Z 20260102-030405-123456",
  "4111 1111 1111 1112",
  "git@github.com:org/repo.git ssh://u@h.example.com/x icon@2x.png getty@tty1.service @babel/core@7.1.2",
  "http://host:8080/path@foo http://[::1]:80/",
  "password = $DB_PASSWORD; password=${DB_PASSWORD} token=${{ secrets.GITHUB_TOKEN }} password: <password>",
  "token: string; password?: string; author: bob; pass: 12 fail: 0; max_tokens=4096",
  "PWD=/home/x OLDPWD=/tmp --no-password --password-file=/run/x --secret id=npm,src=/run/x",
  "mkdir -p foo; docker run -p 80:80 image; ssh -p 22 host; cp -p a b",
  "const kept = secret === undefined ? a : b; password => login(password); secret == other",
  "secret: /run/secrets/db",
  "-----BEGIN CERTIFICATE-----\nMIIEaB3dE5gH7jK9mN1pQ3rStU5vW7aB3dE5gH7jK9mN\n-----END CERTIFICATE-----",
  "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQC7aB3dE5gH7jK9mN1pQ3rStU5vW7aB3dE5gH7jK9mN1pQ3rStU5vW7 me",
];

describe("no secret", () => {
  test.each(HARMLESS)("%s", (text) => {
    expect(redactText(text)).toBe(text);
  });
});

describe("marks", () => {
  test("one that is there already stays", () => {
    const text = `password=${mark("password", "x")} and ${mark("email", "y")}, [cut:12:0123456789abcdef]`;
    expect(redactText(text)).toBe(text);
  });

  test("what only looks like one hides nothing", () => {
    const secret = join("ghp", "_", BODY.slice(0, 36));
    expect(redactText(`[redacted:${secret}:01234567]`)).not.toContain(secret);
  });
});
