import { expect, test } from "bun:test";
import {
  checkpointText,
  formatNote,
  openCheckpoint,
  originProblem,
  parseCheckpoint,
  parsePublicKey,
  PublicKey,
} from "../../../lib/record/note.ts";
import { SigningKey } from "../../../lib/record/signing_key.ts";

/** RFC 8032 section 7.1, test 1. */
const SEED = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const SIGNATURE =
  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe2" +
  "4655141438e7a100b";

const key = new SigningKey(Uint8Array.fromHex(SEED));
const head = { origin: "example.com/log", size: 7, root: new Uint8Array(32).fill(1) };

test("keys and signatures are those of RFC 8032", () => {
  expect(key.public_key.bytes.toHex()).toBe(PUBLIC);
  expect(key.sign("").toHex()).toBe(SIGNATURE);
  expect(key.public_key.verifies("", Uint8Array.fromHex(SIGNATURE))).toBe(true);
  expect(key.public_key.verifies("x", Uint8Array.fromHex(SIGNATURE))).toBe(false);
  expect(key.public_key.verifies("", Uint8Array.fromHex(SIGNATURE).subarray(1))).toBe(false);
});

test("a note of another implementation verifies (the example of golang.org/x/mod/sumdb/note)", () => {
  const name = "PeterNeumann";
  const verifier_key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
  const text = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
  const line = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=";
  const parsed = parsePublicKey(verifier_key);
  if (!parsed.ok) throw new Error(parsed.error);
  const bytes = Uint8Array.fromBase64(line);
  expect(parsed.value.verifierKey(name)).toBe(verifier_key);
  expect(parsed.value.idFor(name).toHex()).toBe("c74f20a3");
  expect(bytes.slice(0, 4).toHex()).toBe("c74f20a3");
  expect(parsed.value.verifies(text, bytes.slice(4))).toBe(true);
});

test("a checkpoint has the literal form of C2SP tlog-checkpoint", () => {
  const note = key.checkpoint(head);
  const lines = note.split("\n");
  expect(lines.slice(0, 4)).toEqual(["example.com/log", "7", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", ""]);
  expect(lines[4]).toMatch(/^\u2014 example\.com\/log [A-Za-z0-9+/]+=*$/);
  expect(lines.slice(5)).toEqual([""]);
  expect(openCheckpoint(note, key.public_key)).toMatchObject({ ok: true, value: { ...head } });
});

test("other signatures beside ours are no hindrance, and alone they are not enough", () => {
  const text = checkpointText(head);
  const other = new SigningKey(new Uint8Array(32).fill(9));
  const [ours, theirs] = [key.noteSignature(text, head.origin), other.noteSignature(text, "witness")];
  expect(openCheckpoint(formatNote(text, [theirs, ours]), key.public_key).ok).toBe(true);
  expect(openCheckpoint(formatNote(text, [theirs]), key.public_key)).toMatchObject({ ok: false });
  const renamed = { ...theirs, name: head.origin, key_id: ours.key_id };
  expect(openCheckpoint(formatNote(text, [renamed]), key.public_key)).toMatchObject({ ok: false });
});

test("what is no checkpoint is refused", () => {
  const note = key.checkpoint(head);
  const others = [
    "",
    "\n\n",
    note.slice(0, -1),
    note.replace("\n\n", "\n"),
    note.replace("\n7\n", "\n07\n"),
    note.replace("\n7\n", "\n-7\n"),
    note.replace("\n7\n", "\n99999999999999999\n"),
    note.replace("AQEB", "AQE"),
    note.replace("\u2014 ", "- "),
    note.replace("example.com/log\n", "\n"),
    note.replace("example.com/log\n", "example com\n"),
    `${note}${"x".repeat(70_000)}`,
  ];
  for (const text of others) expect(parseCheckpoint(text)).toMatchObject({ ok: false });
  const eight = note.replace("\n7\n", "\n8\n");
  expect(openCheckpoint(eight, key.public_key)).toMatchObject({
    ok: false,
    error: expect.stringContaining("signature"),
  });
});

test("a public key is read in each of its forms, and nothing else is", () => {
  const { public_key } = key;
  for (
    const text of [PUBLIC, PUBLIC.toUpperCase(), public_key.text, ` ${public_key.text}\n`, public_key.verifierKey("n")]
  ) {
    const parsed = parsePublicKey(text);
    expect(parsed.ok && parsed.value.equals(public_key)).toBe(true);
  }
  const wrong_id = public_key.verifierKey("n").replace(/\+[0-9a-f]{8}\+/, "+00000000+");
  for (const text of ["", "x", PUBLIC.slice(2), public_key.text.slice(1), wrong_id, `${public_key.text}AAAA`]) {
    expect(parsePublicKey(text).ok).toBe(false);
  }
  expect(() => new PublicKey(new Uint8Array(31))).toThrow("use an Ed25519 public key of 32 bytes, not 31");
});

test("an origin is a name that a note can carry", () => {
  for (const origin of ["a", "agentguard/host/01234567", "example.com/log"]) {
    expect(originProblem(origin)).toBeUndefined();
  }
  for (const origin of ["", "a b", "a+b", "a\nb", "\u0000", "x".repeat(256)]) {
    expect(originProblem(origin)).toBeString();
  }
});
