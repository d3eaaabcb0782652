/**
 * test/support: what the black-box tests share. It runs the executable and looks at the host; it imports of the
 * product only the vocabulary of lib/core. Everything that it starts or makes is a disposable of the test.
 */
export * from "./compile.ts";
export * from "./guard.ts";
export * from "./host.ts";
export * from "./paths.ts";
export * from "./pty.ts";
export * from "./resolver.ts";
export * from "./run.ts";
export * from "./strace.ts";
export * from "./temp.ts";
export * from "./wait.ts";
