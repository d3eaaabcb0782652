/** A reader that sleeps is woken by the next record of either ring. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { IS_ROOT, python, TempDir, waitUntil } from "../support/mod.ts";
import { GuardedCgroup, Probed } from "./probes_support.ts";

/** Loading takes a second on a busy machine. */
setDefaultTimeout(60_000);

/** One act for each signal; before the first, a directory tells that the program is at rest. */
const PROGRAM = `
import os, signal, socket
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def fail():
    try: os.execv("/nonexistent/program", ["program"])
    except OSError: pass
acts = [lambda: s.connect(("127.0.0.1", 9)), fail, lambda: os.open("/dev/null", os.O_RDONLY), lambda: os.mkdir("b")]
os.mkdir("a")
for act in acts:
    signal.sigwait([signal.SIGUSR1])
    act()
signal.pause()
`;

// skip: loading BPF programs needs root
test.skipIf(!IS_ROOT)("an allowed connection, a failed exec, an open and a change each end the sleep", async () => {
  await using dir = await TempDir.create();
  using probed = Probed.load();
  probed.probes.attach();
  await using guarded = new GuardedCgroup(probed);
  await using program = await probed.start(python(PROGRAM), { cwd: dir.path, cgroup: guarded.cgroup });
  const seen = (type: string): number => probed.of(program.scope).filter(({ action }) => action?.type === type).length;
  program.go();
  await waitUntil("the program is at rest", () => {
    probed.drain();
    return seen("file.mkdir") === 1;
  });
  for (const type of ["net.connect", "exec.failed", "file.read", "file.mkdir"]) {
    const before = seen(type);
    probed.probes.requestWake();
    process.kill(program.pid, "SIGUSR1"); // at once: the wait blocks this thread
    expect(probed.wake(20_000)).toBe(true);
    await waitUntil(`${type} is read`, () => {
      probed.drain();
      return seen(type) === before + 1;
    });
  }
});
