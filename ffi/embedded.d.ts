/** Files that the build embeds; each import is a path that `Bun.file` and `dlopen` accept. */
declare module "*.so.1" {
  const path: string;
  export default path;
}
declare module "*.so" {
  const path: string;
  export default path;
}
declare module "*.bpf.o" {
  const path: string;
  export default path;
}
