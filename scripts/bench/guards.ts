/** Guards that run beside a measurement: with a session that does nothing, or as a daemon. */

import type { Subprocess } from "bun";
import { writeFileSync } from "node:fs";
import { onCpu, owned, policyText, type Workshop } from "./workshop.ts";

/** Milliseconds that a guard has to become ready, and to end. */
const READY_MS = 60_000;

/** A program that runs in the background, with what it has said. Disposing ends it: end of input, SIGTERM, SIGKILL. */
export class Background implements AsyncDisposable {
  readonly #child: Subprocess<"pipe", "pipe", "pipe">;
  readonly #collecting: Promise<unknown>;
  #said = "";
  #told: (() => void)[] = [];

  constructor(argv: readonly string[]) {
    this.#child = Bun.spawn(owned(argv), { stdin: "pipe", stdout: "pipe", stderr: "pipe" });
    this.#collecting = Promise.all([this.#collect(this.#child.stdout), this.#collect(this.#child.stderr)]);
  }

  /** Its process. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Waits until it has said `words`; throws with what it said instead if it ends, or after a minute. */
  async says(words: string): Promise<void> {
    const deadline_ms = performance.now() + READY_MS;
    let ended = false;
    void this.#child.exited.then(() => this.#collecting).then(() => {
      ended = true;
      this.#tell();
    });
    while (!this.#said.includes(words)) {
      const left_ms = deadline_ms - performance.now();
      if (ended || left_ms <= 0) throw new Error(`wait for "${words}": the program said\n${this.#said}`);
      await this.#news(left_ms);
    }
  }

  /** Types something at it. */
  type(text: string): void {
    void this.#child.stdin.write(text);
    void this.#child.stdin.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.end();
    const soft = setTimeout(() => this.#child.kill("SIGTERM"), 5_000);
    const hard = setTimeout(() => this.#child.kill("SIGKILL"), READY_MS);
    await this.#child.exited;
    clearTimeout(soft);
    clearTimeout(hard);
    await this.#collecting;
  }

  /** Asks it to end in its own way and waits for it. */
  async stop(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this[Symbol.asyncDispose]();
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.#said += decoder.decode(chunk, { stream: true });
      this.#tell();
    }
  }

  #tell(): void {
    for (const told of this.#told.splice(0)) told();
  }

  /** Settles when something was said or the program has ended, or after `timeout_ms`. */
  #news(timeout_ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeout_ms);
      this.#told.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** Runs `work` while a guard, pinned away from the workload, holds a session that does nothing. */
export async function besideGuard<Value>(shop: Workshop, work: () => Promise<Value>): Promise<Value> {
  const { state, argv } = shop.guardArguments(shop.policy("plain"));
  try {
    await using guard = new Background(onCpu(shop.guard_cpu, [...argv, "--", shop.workload("hold")]));
    await guard.says("holding");
    return await work();
  } finally {
    shop.discard(state);
  }
}

/** Runs `work` while a program that only calculates has the guard's CPU: any program, no guard. */
export async function besideLoop<Value>(shop: Workshop, work: () => Promise<Value>): Promise<Value> {
  const loop = new Background([shop.workload("loop"), String(shop.guard_cpu)]);
  try {
    await loop.says("looping");
    return await work();
  } finally {
    await loop.stop();
  }
}

/** Runs `work` with a daemon that looks for agents and guards none. Its [[agent]] is the `hold` workload. */
export async function besideDaemon<Value>(shop: Workshop, work: (pid: number) => Promise<Value>): Promise<Value> {
  const policy = shop.path("daemon.toml");
  writeFileSync(policy, policyText({ rules: 0, agent: shop.workload("hold") }));
  const { state, argv } = shop.guardArguments(policy);
  const daemon = new Background(onCpu(shop.guard_cpu, argv));
  try {
    await daemon.says("ready, policy");
    return await work(daemon.pid);
  } finally {
    await daemon.stop();
    shop.discard(state);
  }
}
