/** `agentguard policy learn` */
import { AgentguardError } from "../core/mod.ts";
import { type Evidence, type LearntPolicy, PolicyLearner } from "../decide/mod.ts";
import { EXIT } from "./command.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { homeOption, sayFindings } from "./command_policy_load.ts";
import type { PolicyLearnCommand } from "./command_policy_types.ts";
import { readRecording } from "./recording.ts";

/** Prints the proposal on stdout and what it rests on on stderr. Exit 1 if nothing was learnt. */
export function commandPolicyLearn(command: PolicyLearnCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const json = configOf(io, command.flags).json.value;
    const { name, fallback, classes, recordings } = command;
    if (name !== undefined && !/^[\p{L}\p{N}._ -]{1,64}$/u.test(name)) {
      throw new AgentguardError("usage", "use 1 to 64 letters, digits, spaces or any of . _ - for --name");
    }
    const learner = new PolicyLearner({
      ...(name === undefined ? {} : { name }),
      ...(fallback === undefined ? {} : { fallback }),
      ...(classes.length === 0 ? {} : { classes }),
      ...homeOption(io, command.home),
    });
    for (const recording of recordings) {
      learner.beginRecording();
      for await (const entry of readRecording(recording)) learner.add(entry);
    }
    const learnt = learner.finish();
    if (!learnt.ok) {
      await sayFindings(io, learnt.error);
      return EXIT.failed;
    }
    if (learnt.value.learnt === 0) {
      throw new AgentguardError("not_found", "learn a policy: the recordings hold no action that was let through");
    }
    const out = new LineWriter(io.stdout);
    if (json) await out.line(JSON.stringify(learnt.value));
    else {
      await out.line(learnt.value.text.trimEnd());
      await io.stderr.write(`${summary(learnt.value)}\n`);
    }
    await out.flush();
    return EXIT.ok;
  });
}

function summary({ rules, actions, learnt, sessions, left_out }: LearntPolicy): string {
  const left = Object.entries(left_out).map(([reason, evidence]: [string, Evidence]) => `${evidence.count} ${reason}`);
  const not = left.length === 0 ? "" : `; not learnt from: ${left.join(", ")}`;
  return `agentguard: ${rules.length} rules from ${learnt} of ${actions} actions, ${sessions} sessions${not}`;
}
