/** agentguard: one executable that watches and guards AI agents. */
import { main } from "./lib/app/mod.ts";

await main();
