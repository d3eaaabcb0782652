/** The commands on policies and recordings, by kind. */
import { assertNever } from "../core/mod.ts";
import type { CommandIo } from "./command_io.ts";
import { commandPolicyExplain } from "./command_policy_explain.ts";
import { commandPolicyLearn } from "./command_policy_learn.ts";
import { commandPolicyShow } from "./command_policy_show.ts";
import { commandPolicyTest } from "./command_policy_test.ts";
import type { PolicyToolCommand } from "./command_policy_types.ts";
import { commandPolicyDiff, commandReplay } from "./command_replay.ts";

/** Runs one to its exit code. */
export function commandPolicyTool(command: PolicyToolCommand, io: CommandIo): Promise<number> {
  switch (command.kind) {
    case "policy.explain":
      return commandPolicyExplain(command, io);
    case "policy.test":
      return commandPolicyTest(command, io);
    case "policy.show":
    case "policy.lower":
      return commandPolicyShow(command, io);
    case "policy.diff":
      return commandPolicyDiff(command, io);
    case "policy.learn":
      return commandPolicyLearn(command, io);
    case "replay":
      return commandReplay(command, io);
    default:
      return assertNever(command);
  }
}
