#!/usr/bin/env python3
"""Checks agentguard's record without agentguard: python3 and its standard library, nothing else.

  verify_record.py --key KEY proof.json       one entry, as 'agentguard audit prove' prints it
  verify_record.py --key KEY --db record.db   a whole record; --from NOTE also against a checkpoint that was kept

KEY is what 'agentguard audit checkpoint --show-key' prints on its last line, or a file with it. Exit 0: all holds.
The format is described in record.md; the sources are RFC 6962, RFC 8032, C2SP tlog-checkpoint and signed-note.
"""
import argparse, base64, hashlib, json, os, re, sqlite3, sys, urllib.parse
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P

def sha256(data): return hashlib.sha256(data).digest()

def require(holds, why):
    if not holds: sys.exit("FALSE: " + why)

def decompress(data):  # RFC 8032 section 5.1.3, to extended coordinates
    y = int.from_bytes(data, "little") & (2**255 - 1)
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    if v * x * x % P == P - u: x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (v * x * x - u) % P or (x == 0 and data[31] >> 7): return None
    if x & 1 != data[31] >> 7: x = P - x
    return x, y, 1, x * y % P

def add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P

def times(n, p):
    q = 0, 1, 1, 0
    while n:
        if n & 1: q = add(q, p)
        p, n = add(p, p), n >> 1
    return q

BASE = decompress((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))

def signed_by(key, text, signature):  # Ed25519, RFC 8032 section 5.1.7
    a, r, s = decompress(key), decompress(signature[:32]), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= L or a is None or r is None: return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0

def key_id(origin, key): return sha256(origin.encode() + b"\n\x01" + key)[:4]

def open_note(note, key):
    text, _, tail = note.partition("\n\n")
    origin, size, root = (text + "\n").split("\n")[:3]
    for line in tail.split("\n"):
        match = re.fullmatch("\u2014 (\\S+) (\\S+)", line)
        data = base64.b64decode(match[2]) if match else b""
        if match and match[1] == origin and data[:4] == key_id(origin, key):
            require(signed_by(key, (text + "\n").encode(), data[4:]), "the signature of the checkpoint is wrong")
            return origin, int(size), base64.b64decode(root)
    sys.exit("FALSE: the checkpoint is not signed by the key " + key_id(origin, key).hex())

def node(left, right): return sha256(b"\x01" + left + right)

def check_inclusion(leaf, index, size, path, root):  # RFC 9162 section 2.1.3.2
    fn, sn = index, size - 1
    for sibling in path:
        require(sn > 0, "the path is too long")
        if fn & 1 or fn == sn:
            leaf = node(sibling, leaf)
            while fn and not fn & 1: fn, sn = fn >> 1, sn >> 1
        else: leaf = node(leaf, sibling)
        fn, sn = fn >> 1, sn >> 1
    require(sn == 0 and leaf == root, "the entry does not lead to the signed root")

def check_proof(file, key):
    proof = json.load(open(file, encoding="utf-8"))
    origin, size, root = open_note(proof["checkpoint"], key)
    entry, index = json.loads(proof["entry"]), proof["leaf_index"]
    require(size == proof["tree_size"] and 0 <= index < size, "the size is not that of the checkpoint")
    require(entry["seq"] == proof["seq"] == index + 1, "the entry has another number")
    require(entry["entry_id"] == proof["entry_id"], "the entry has another id")
    path = [base64.b64decode(each) for each in proof["inclusion_path"]]
    check_inclusion(sha256(b"\0" + proof["entry"].encode()), index, size, path, root)
    print("ok: entry %d of %d in %s" % (entry["seq"], size, origin))

def hand_over(entry, origin, key):  # an entry that puts a new key in force, signed by both
    match = re.fullmatch(r"old (\S+), new (\S+), signed by old (\S+), signed by new (\S+)", entry["action"]["detail"])
    require(match, "entry %d: malformed key rotation" % entry["seq"])
    old, new, by_old, by_new = [base64.b64decode(each) for each in match.groups()]
    text = "agentguard key rotation at entry %d\n%s\n%s\n%s\n" % (entry["seq"], origin, match[1], match[2])
    both = signed_by(old, text.encode(), by_old) and signed_by(new, text.encode(), by_new)
    require(old == key and both, "entry %d: the new key is not signed by both keys" % entry["seq"])
    return new

def check_record(file, trusted, kept):
    require(os.path.exists(file), "there is no file " + file)
    db = sqlite3.connect("file:%s?mode=ro" % urllib.parse.quote(file), uri=True)
    origin, = db.execute("SELECT origin FROM log").fetchone()
    stored = {size: (root, sig) for size, root, sig in db.execute("SELECT size, root, signature FROM checkpoints")}
    key, = db.execute("SELECT public FROM keys ORDER BY id").fetchone()
    chain, seq, prev, frontier, known = [key], 0, "0" * 64, [], open_note(kept, trusted) if kept else None
    gone, pruned = set(), 0  # numbers of entries without text that no later entry has accounted for, and of the others
    def compare():  # the tree so far with the checkpoint of its size
        root = frontier[-1] if frontier else sha256(b"")
        for left in reversed(frontier[:-1]): root = node(left, root)
        require(not known or known[1] != seq or known[2] == root, "the first %d entries differ from the kept checkpoint" % seq)
        if seq not in stored: return
        require(stored[seq][0] == root, "the entries up to %d are not those that were signed" % seq)
        text = "%s\n%d\n%s\n" % (origin, seq, base64.b64encode(root).decode())
        require(signed_by(key, text.encode(), stored[seq][1]), "checkpoint %d: the signature is wrong" % seq)
    compare()
    for first, data in db.execute("SELECT first_seq, data FROM texts ORDER BY first_seq"):
        require(first == seq + 1, "entry %d is missing" % (seq + 1))
        leaves, = db.execute("SELECT data FROM tiles WHERE id = ?", (seq // 256,)).fetchone() or (b"",)
        for line in data.split(b"\n")[:-1]:
            seq, at, parts = seq + 1, seq % 256 * 32, (line.split(b"\x1e") + [b"", b""])[:3]
            text = parts[0] + b'"prev":"%s"' % prev.encode() + parts[1] + b'"seq":%d' % seq + parts[2]
            leaf, count = sha256(b"\0" + text) if line else leaves[at:at + 32], seq
            require(len(leaf) == 32 and leaf == leaves[at:at + 32], "entry %d, or the hash of the entry before, was changed" % seq)
            prev = leaf.hex()
            if not line: gone.add(seq)
            action = json.loads(text).get("action", {}) if b'"guard.' in text else {}
            if action.get("type") in ("guard.record.pruned", "guard.record.repaired"):
                told = gone & {n for a, b in action.get("ranges", []) for n in range(a, min(b, seq) + 1)}
                gone, pruned = gone - told, pruned + len(told)
            if action.get("type") == "guard.key.rotated":
                chain.append(key := hand_over(json.loads(text), origin, key))
            while count & 1 == 0: leaf, count = node(frontier.pop(), leaf), count >> 1
            frontier.append(leaf)
            compare()
    require(seq == max(stored, default=-1), "the record has %d entries, its newest checkpoint covers another number" % seq)
    require(not gone, "the text of entry %d is gone, and no entry says that it was pruned" % min(gone, default=0))
    require(trusted in chain, "the record is signed by another key, " + key_id(origin, chain[-1]).hex())
    require(not known or known[0] == origin and known[1] <= seq, "cut: the kept checkpoint covers more entries than there are")
    print("ok: %d entries, %d checkpoints of %s" % (seq, len(stored), origin) + (", %d pruned" % pruned if pruned else ""))
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("proof", nargs="?")
for option in ("--key", "--db", "--from"): parser.add_argument(option, required=option == "--key")
given = vars(parser.parse_args())
text = open(given["key"]).read().strip().split("\n")[-1] if os.path.exists(given["key"]) else given["key"]
public = base64.b64decode(text)
require(len(public) == 32, "the key has not 32 bytes")
if not given["db"] and not given["proof"]: parser.error("name a proof, or a record with --db")
try:
    if given["db"]: check_record(given["db"], public, given["from"] and open(given["from"], encoding="utf-8").read())
    else: check_proof(given["proof"], public)
except (ArithmeticError, AttributeError, LookupError, OSError, TypeError, ValueError, sqlite3.Error) as error:
    sys.exit("FALSE: it cannot be read: %r" % error)
