/** The launcher as built by scripts/build.sh from ffi/native/launch.c, embedded into the executable. */
declare module "*/build/native/launch" {
  const path: string;
  export default path;
}
