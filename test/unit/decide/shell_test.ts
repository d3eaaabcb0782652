/** What is found inside command lines. */
import { describe, expect, test } from "bun:test";
import { LIMITS } from "../../../lib/core/mod.ts";
import { type CommandLine, readCommandLine, readShellScript } from "../../../lib/decide/mod.ts";

/** Each command as `program argument ...`, with `?` for uncertain, `+` for built in, `!` for opaque, `>` for moved. */
function shown({ commands }: CommandLine): readonly string[] {
  return commands.map(({ argv, uncertain, builtin, opaque, moved }) =>
    argv.join(" ") + (uncertain ? " ?" : "") + (builtin ? " +" : "") + (opaque ? " !" : "") + (moved ? " >" : "")
  );
}

const SCRIPTS: readonly (readonly [string, readonly string[]])[] = [
  ["a && b; c | d & e || f |& g", ["a", "b", "c", "d", "e", "f", "g"]],
  ["a 'b c' \"d e\" f\\ g $'\\x68\\n'", ["a b c d e f g h\n"]],
  ["g\"i\"'t' pu\\sh", ["git push"]],
  ["a\\\nb c # d\n# e; f\ng", ["ab c", "g"]],
  ["echo $(rm -rf x) `ls -l` ${y:-$(z)} $((1 + $(n)))", [
    "rm -rf x",
    "ls -l",
    "z",
    "n",
    "echo $(rm -rf x) `ls -l` ${y:-$(z)} $((1 + $(n))) ? +",
  ]],
  ['a "$(b "$(c)")"', ["c", "b $(c) ?", 'a $(b "$(c)") ?']],
  ["x `a \\`b\\``", ["b", "a `b` ?", "x `a \\`b\\`` ?"]],
  ["x=1 y=$(z) A=(p $(q)) cmd arg", ["z", "q", "cmd arg"]],
  ["x=$(git push)", ["git push"]],
  ["cmd 2>&1 >out <in 3>>x &>y 2 > z", ["cmd 2"]],
  ["cat <(ls x) > >(tee y)", ["ls x", "tee y", "cat <() >() ?"]],
  ["cat <<A; b\n$(c) d\nA\ne", ["cat", "b", "c", "e"].toSorted()],
  ["cat <<-'A'\n\t$(c)\n\tA\ne", ["cat", "e"]],
  ["if a; then b; elif c; then d; else e; fi", ["a", "b", "c", "d", "e"]],
  ["while ! a; do b; done; until c; do d; done", ["a", "b", "c", "d"]],
  ["for f in *.ts $(z); do echo $f; done", ["z", "echo $f ? +"]],
  ["case $x in a|b) c;; (d) e ;& *) f; esac; g", ["c", "e", "f", "g"]],
  ["f() { a; }; function g { b; }; function h() { c; }; f", ["a", "b", "c", "f"]],
  ["(a; b) && { c; }", ["a", "b", "c"]],
  ["[[ a < b && -f x ]] && ok; ((i++)); d", ["ok", "d"]],
  ["cd /x && ./run; (cd /y); b", ["cd /x +", "./run >", "cd /y + >", "b >"]],
  ["(cd /y; a); b", ["cd /y +", "a >", "b"]],
  ["ls *.ts {a,b} $F ~/x", ["ls *.ts {a,b} $F ~/x ?"]],
  ["env X=1 -i cmd a", ["env X=1 -i cmd a", "-i cmd a"]],
  ["env -i -u Y X=1 cmd a", ["env -i -u Y X=1 cmd a", "cmd a"]],
  ["env -C /x ./cmd", ["env -C /x ./cmd", "./cmd >"]],
  ["env -S 'sh -c \"rm q\"'", ['env -S sh -c "rm q"', "sh -c rm q", "rm q"]],
  ["sudo -u bob -- rm x", ["sudo -u bob -- rm x", "rm x"]],
  ["sudo -nE A=1 rm x", ["sudo -nE A=1 rm x", "rm x"]],
  ["sudo -s 'rm y'", ["sudo -s rm y", "rm y"]],
  ["sudo -l rm", ["sudo -l rm"]],
  ["su - bob -c 'rm z'", ["su - bob -c rm z", "rm z"]],
  ["sh -c 'a; b' name", ["sh -c a; b name", "a", "b"]],
  ["bash -elo pipefail -c 'git push'", ["bash -elo pipefail -c git push", "git push"]],
  ["sh -c \"sh -c 'sh -c x'\"", ["sh -c sh -c 'sh -c x'", "sh -c sh -c x", "sh -c x", "x"]],
  ["bash script.sh -c x", ["bash script.sh -c x"]],
  ["sh <<'E'\nrm x\nE\n", ["sh", "rm x"]],
  ["bash <<< 'ls -l'", ["bash", "ls -l"]],
  ["find . -exec rm {} \\; -o -execdir ls +", ["find . -exec rm {} ; -o -execdir ls +", "rm {} ?", "ls ?"]],
  ["xargs -n 1 -I{} rm -f {}", ["xargs -n 1 -I{} rm -f {}", "rm -f {} ?"]],
  ["busybox rm x", ["busybox rm x", "rm x"]],
  ["/lib64/ld-linux-x86-64.so.2 --library-path /l ./a b", [
    "/lib64/ld-linux-x86-64.so.2 --library-path /l ./a b",
    "./a b",
  ]],
  ["ld-musl-x86_64.so.1 -- ./a b", ["ld-musl-x86_64.so.1 -- ./a b", "./a b"]],
  ["nohup nice -n 5 timeout -k 1 5s a b", [
    "nohup nice -n 5 timeout -k 1 5s a b",
    "nice -n 5 timeout -k 1 5s a b",
    "timeout -k 1 5s a b",
    "a b",
  ]],
  ["time -p a; command -v b; exec -a n c", ["time -p a", "a", "command -v b +", "exec -a n c +", "c"]],
  ["flock /l -c 'rm x'; flock /l rm y", ["flock /l -c rm x", "rm x", "flock /l rm y", "rm y"]],
  ["trap 'rm x' EXIT; eval 'a;' b", ["trap rm x EXIT +", "rm x", "eval a; b +", "a", "b"]],
];

describe("a script is its commands", () => {
  test.each([...SCRIPTS])("%j", (script, commands) => {
    const line = readShellScript(script);
    // A here-document is read after the line that it belongs to; there only the set of commands matters.
    expect(script.includes("<<A;") ? shown(line).toSorted() : shown(line)).toEqual([...commands]);
    expect(line.opaque).toBe(false);
  });
});

const OPAQUE: readonly (readonly [string, readonly string[]])[] = [
  ["$X a", []],
  ["a; ${b} c", ["a"]],
  ["$(which git) push", ["which git"]],
  ["{git,push}", []],
  ["g*t push", []],
  ['eval "$X"', ["eval $X ? + !"]],
  ["sh -c $X", ["sh -c $X ? !"]],
  ["curl u | sh", ["curl u", "sh !"]],
  ["curl u | sudo bash -s -- -y", ["curl u", "sudo bash -s -- -y !", "bash -s -- -y !"]],
  ["sh <<E\nrm $x\nE", ["sh !"]],
  ["bash <(curl u)", ["curl u", "bash <() ? !"]],
  ["sudo -i", ["sudo -i !"]],
  ["perl -e 'x'", ["perl -e x !"]],
  ["node --eval=x", ["node --eval=x !"]],
  ['python3.12 -c \'import os; os.system("rm x"); subprocess.run(["git", "push"])\'', [
    'python3.12 -c import os; os.system("rm x"); subprocess.run(["git", "push"]) !',
    "rm x",
    "git push",
  ]],
  ["python - <<'E'\nos.popen('rm y')\nE", ["python - !", "rm y"]],
  ["echo 'a", ["echo a +"]],
  ["a $(b", ["b", "a $(b ?"]],
  ["a <<E\nb", ["a"]],
  ["a)", ["a"]],
  ["parallel rm", ["parallel rm !"]],
];

describe("what cannot be followed is opaque, the rest is still found", () => {
  test.each([...OPAQUE])("%j", (script, commands) => {
    const line = readShellScript(script);
    expect(shown(line)).toEqual([...commands]);
    expect(line.opaque).toBe(true);
  });
});

describe("a program start", () => {
  const start = (path: string, ...argv: readonly string[]): CommandLine | undefined => readCommandLine({ path, argv });

  test("of a program that starts no other has nothing inside", () => {
    expect(start("/usr/bin/git", "git", "push")).toBeUndefined();
    expect(start("/usr/bin/git", "sh", "-c", "rm x")).toBeUndefined();
  });

  test("is known by its path, not by the name that it was called by", () => {
    const line = start("/usr/bin/dash", "innocent", "-c", "rm x");
    expect(line?.commands.map(({ argv }) => argv)).toEqual([["rm", "x"]]);
  });

  test("of BusyBox is the applet that it was called by", () => {
    expect(start("/bin/busybox", "ls", "-l")?.commands.map(({ argv }) => argv)).toEqual([["ls", "-l"]]);
    expect(start("/bin/busybox", "/bin/sh", "-c", "a")?.commands.map(({ argv }) => argv)).toEqual([["sh", "-c", "a"], [
      "a",
    ]]);
    expect(start("/bin/busybox", "busybox", "rm", "x")?.commands.map(({ argv }) => argv)).toEqual([["rm", "x"]]);
  });

  test("with arguments that were cut is opaque", () => {
    const action = { path: "/bin/sh", argv: ["sh", "-c", "a"], flags: ["args_truncated"] as const };
    expect(readCommandLine(action)?.opaque).toBe(true);
  });

  test("of a shell that reads its input is opaque, of a script file is not", () => {
    expect(start("/bin/bash", "bash")?.opaque).toBe(true);
    expect(start("/bin/bash", "bash", "x.sh")).toEqual({ commands: [], opaque: false });
    expect(start("/usr/bin/python3", "python3", "x.py")).toEqual({ commands: [], opaque: false });
    expect(start("/usr/bin/python3", "python3", "--version")).toEqual({ commands: [], opaque: false });
  });
});

describe("bounds", () => {
  test("a script over the limit is not read", () => {
    expect(readShellScript("a ".repeat(LIMITS.argv_bytes_max))).toEqual({ commands: [], opaque: true });
  });

  test("more commands than are kept make it opaque", () => {
    const line = readShellScript("a;".repeat(400));
    expect([line.commands.length, line.opaque]).toEqual([256, true]);
  });

  const HOSTILE = [
    "(",
    "$(",
    "`",
    '"$(',
    "a=(",
    "case x in ",
    "<<a\n",
    "a|",
    "[[ ",
    "${",
    "{",
    "sh -c '",
    "\\`",
    "<(",
    "((",
    "$((",
    "a|b) ",
  ];
  test.each(HOSTILE)("%j again and again ends", (piece) => {
    const line = readShellScript(piece.repeat(Math.floor(LIMITS.argv_bytes_max / piece.length)));
    expect(line.commands.length).toBeLessThanOrEqual(256);
  });
});
