/**
 * lib/app: the composition root and the commands. It alone imports every other folder, puts the stages together, owns
 * the threads, and talks to the terminal. No business logic. Errors become one line on stderr and an exit code.
 */
export { main } from "./main.ts";
