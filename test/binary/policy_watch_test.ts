/** The daemon takes a changed policy file up by itself, and keeps the last good one. */
import { describe, expect, test } from "bun:test";
import { rename, writeFile } from "node:fs/promises";
import { about, GuardSetup, IS_ROOT, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 90_000;

function policy(rules: number): string {
  const head = 'version = 1\nname = "watched"\nmode = "enforce"\n\n[default]\n"*" = "allow"\n';
  const rule = (i: number): string =>
    `\n[[rules]]\nname = "rule-${i}"\naction = "net.connect"\naddress = "127.66.0.${i}"\nverdict = "deny"\n`;
  return head + Array.from({ length: rules }, (_, i) => rule(i + 1)).join("");
}

describe.skipIf(!IS_ROOT)("a policy file of a running daemon", () => {
  test("is taken up when it is replaced; a bad one changes nothing and is said", async () => {
    await using setup = await GuardSetup.create(policy(1));
    await using daemon = setup.startDaemon();
    const detail = (): string => daemon.stderr.slice(-1_000);
    const inForce = async (): Promise<{ readonly generation: number; readonly rules: number } | undefined> => {
      const done = await setup.command(["status", "--json"]);
      if (done.exit_code !== 0) return undefined;
      const status: { readonly policy: { readonly ref: { readonly generation: number }; readonly rules: number } } =
        JSON
          .parse(done.stdout);
      return { generation: status.policy.ref.generation, rules: status.policy.rules };
    };
    const reaches = (generation: number): Promise<void> =>
      waitUntil(`generation ${generation}`, async () => (await inForce())?.generation === generation, { detail });
    const replace = async (text: string): Promise<void> => {
      await writeFile(`${setup.policy}.new`, text);
      await rename(`${setup.policy}.new`, setup.policy);
    };

    await reaches(1);
    await replace(policy(2));
    await reaches(2);
    expect(await inForce()).toEqual({ generation: 2, rules: 2 });

    await replace('version = 1\n[[rules]]\nname = "half"\n');
    await waitUntil("the refusal", () => daemon.stderr.includes("generation 2 stays in force"), { detail });
    expect(await inForce()).toEqual({ generation: 2, rules: 2 });

    await writeFile(setup.policy, policy(3));
    await reaches(3);
    expect(await inForce()).toEqual({ generation: 3, rules: 3 });

    daemon.process.kill("SIGTERM");
    expect(await daemon.ended()).toBe(0);
    const entries = await setup.entries();
    expect(about(entries, "guard.policy.loaded")).toHaveLength(3);
    expect(about(entries, "guard.degraded").some(({ action }) => action.detail.includes("policy reload refused"))).toBe(
      true,
    );
  }, LIMIT_MS);
});
