/**
 * One seed for every property: `AGENTGUARD_SEED`, else a fixed one where `CI` is set, so that the gate gives the same
 * answer for the same tree, else a new one at each run. A failure prints the seed that it used.
 */
import fc from "fast-check";

/** Changed when a search in another direction is wanted. */
const GATE_SEED = 20_261_130;

const given = process.env["AGENTGUARD_SEED"];
if (given !== undefined && given !== "") fc.configureGlobal({ seed: Number(given) });
else if (process.env["CI"] !== undefined) fc.configureGlobal({ seed: GATE_SEED });
