/** Paths that hold secrets: never proposed by `policy learn`, and denied by what it writes. */
import type { PathGlob } from "./glob.ts";
import { parsePathGlob } from "./glob.ts";
import { matchPathGlob } from "./match.ts";

/** Keys, tokens, credential files, password databases, browser profiles, shell histories. */
export const SECRET_PATHS: readonly string[] = [
  "**/.ssh/**",
  "**/.gnupg/**",
  "**/.aws/**",
  "**/.azure/**",
  "**/.config/{gcloud,gh,hub,op,doctl}/**",
  "**/.kube/**",
  "**/.docker/config.json",
  "**/{.netrc,_netrc,.npmrc,.pypirc,.git-credentials,.pgpass,.my.cnf,.vault-token,.htpasswd}",
  "**/.cargo/{credentials,credentials.toml}",
  "**/.gem/credentials",
  "**/.terraform.d/credentials.tfrc.json",
  "**/.password-store/**",
  "**/.local/share/keyrings/**",
  "**/{.env,.env.*,.envrc}",
  "**/{credentials,credentials.json,secrets.json,secrets.yaml,secrets.yml,secrets.toml}",
  "**/{token,access_token,refresh_token,*.token,*.secret}",
  "**/id_{rsa,dsa,ecdsa,ed25519,ecdsa_sk,ed25519_sk}",
  "**/*.{key,p12,pfx,jks,kdbx,ppk}",
  "**/.mozilla/**",
  "**/.thunderbird/**",
  "**/.config/{google-chrome,chromium,BraveSoftware,microsoft-edge,vivaldi}/**",
  "**/.{bash,zsh,python,psql,mysql}_history",
  "/etc/{shadow,shadow-,gshadow,gshadow-,krb5.keytab}",
  "/etc/ssl/private/**",
  "/etc/ssh/ssh_host_*_key",
  "/{run,var/run}/secrets/**",
  "/proc/*/{environ,mem}",
  "/proc/*/task/*/{environ,mem}",
];

/** What looks like one of them and is not. */
export const SECRET_EXCEPTIONS: readonly string[] = ["**/.env.{example,sample,template,dist}"];

/** True if a normalised name is that of a secret. */
export class SecretPaths {
  readonly #secrets: readonly PathGlob[];
  readonly #exceptions: readonly PathGlob[];

  constructor() {
    this.#secrets = globsOf(SECRET_PATHS);
    this.#exceptions = globsOf(SECRET_EXCEPTIONS);
  }

  /** Looks at the whole name; any home directory counts. */
  has(name: string): boolean {
    const holds = (globs: readonly PathGlob[]): boolean =>
      globs.some((glob) => matchPathGlob(glob, name, { home: undefined, any_home: true }));
    return holds(this.#secrets) && !holds(this.#exceptions);
  }
}

function globsOf(patterns: readonly string[]): readonly PathGlob[] {
  return patterns.flatMap((pattern) => {
    const globs = parsePathGlob(pattern);
    return globs.ok ? globs.value : [];
  });
}
