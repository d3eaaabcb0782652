/** A real NATS server for the tests, its certificates, and users that it knows. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { nkeys } from "@nats-io/transport-node";
import { run, waitUntil } from "../support/mod.ts";

/** A server on a free port of the loopback interface. */
export class NatsServer implements AsyncDisposable {
  /** The program, or null where it is not installed. */
  static readonly path: string | null = Bun.which("nats-server", { PATH: `${process.env["PATH"] ?? ""}:/usr/sbin` });

  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly #server: Bun.Subprocess;

  private constructor(server: Bun.Subprocess, host: string) {
    this.#server = server;
    this.host = host;
  }

  /** Starts one; `config` is put behind what makes it listen. */
  static async start(directory: string, config: string): Promise<NatsServer> {
    const file = join(directory, "nats.conf");
    await Bun.write(file, `listen: "127.0.0.1:-1"\nports_file_dir: "${directory}"\n${config}`);
    const server = Bun.spawn([NatsServer.path ?? "", "-c", file], { stdout: "ignore", stderr: "ignore" });
    const ports_file = join(directory, `nats-server_${server.pid}.ports`);
    const ports = async (): Promise<string> =>
      await Bun.file(ports_file).exists() ? await readFile(ports_file, "utf8") : "";
    await waitUntil("the NATS server", async () => (await ports()).endsWith("}"));
    const { nats, tls = [] }: { readonly nats?: string[]; readonly tls?: string[] } = JSON.parse(await ports());
    const url = [...nats ?? [], ...tls][0] ?? "";
    return new NatsServer(server, url.replace(/^\w+:\/\//, ""));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.kill();
    await this.#server.exited;
  }
}

/** A certificate for 127.0.0.1 with the CA that it comes from, and another CA. Files, PEM. */
export async function certificates(
  directory: string,
): Promise<{ readonly ca: string; readonly other_ca: string; readonly cert: string; readonly key: string }> {
  const at = (name: string): string => join(directory, name);
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  for (const name of ["ca", "other"]) {
    await run([
      "openssl",
      "req",
      "-x509",
      ...curve,
      "-subj",
      `/CN=${name}`,
      "-days",
      "2",
      "-keyout",
      at(`${name}.key`),
      ...["-out", at(`${name}.pem`)],
    ]);
  }
  await run([
    "openssl",
    "req",
    ...curve,
    "-subj",
    "/CN=127.0.0.1",
    "-keyout",
    at("server.key"),
    "-out",
    at("server.csr"),
  ]);
  await Bun.write(at("server.ext"), "subjectAltName=IP:127.0.0.1\n");
  const signed = [
    "-CA",
    at("ca.pem"),
    "-CAkey",
    at("ca.key"),
    "-CAcreateserial",
    "-days",
    "2",
    "-extfile",
    at("server.ext"),
  ];
  await run(["openssl", "x509", "-req", "-in", at("server.csr"), ...signed, "-out", at("server.pem")]);
  return { ca: at("ca.pem"), other_ca: at("other.pem"), cert: at("server.pem"), key: at("server.key") };
}

type KeyPair = ReturnType<typeof nkeys.createUser>;

/**
 * An operator, an account and a user, each signed by the one before (NATS JWT, version 2): the server's configuration,
 * the user's credentials file, and one of a user whom the account never signed.
 */
export async function natsUsers(
  directory: string,
): Promise<{ readonly config: string; readonly credentials: string; readonly strange: string }> {
  const [operator, account, user] = [nkeys.createOperator(), nkeys.createAccount(), nkeys.createUser()];
  const limits = { subs: -1, data: -1, payload: -1, imports: -1, exports: -1, conn: -1, leaf: -1, wildcards: true };
  const operator_jwt = jwt(operator, operator, { type: "operator", version: 2 });
  const account_jwt = jwt(operator, account, { type: "account", version: 2, limits });
  const of_user = { type: "user", version: 2, subs: -1, data: -1, payload: -1, pub: {}, sub: {} };
  const credentials = join(directory, "user.creds");
  const strange = join(directory, "strange.creds");
  await Bun.write(credentials, credentialsOf(jwt(account, user, of_user), user));
  await Bun.write(strange, credentialsOf(jwt(nkeys.createAccount(), user, of_user), user));
  const id = account.getPublicKey();
  const config = `operator: "${operator_jwt}"\nresolver: MEMORY\nresolver_preload: { ${id}: "${account_jwt}" }\n`;
  return { config, credentials, strange };
}

function jwt(issuer: KeyPair, subject: KeyPair, nats: object): string {
  const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = { jti: crypto.randomUUID(), iat: Math.floor(Date.now() / 1_000), iss: issuer.getPublicKey() };
  const named = { ...claims, name: "test", sub: subject.getPublicKey(), nats };
  const signed = `${encoded({ typ: "JWT", alg: "ed25519-nkey" })}.${encoded(named)}`;
  return `${signed}.${Buffer.from(issuer.sign(Buffer.from(signed))).toString("base64url")}`;
}

function credentialsOf(user_jwt: string, user: KeyPair): string {
  const seed = new TextDecoder().decode(user.getSeed());
  const section = (name: string, text: string): string => `-----BEGIN ${name}-----\n${text}\n------END ${name}------\n`;
  return section("NATS USER JWT", user_jwt) + section("USER NKEY SEED", seed);
}
