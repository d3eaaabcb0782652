/** The notices that the build collects, embedded as a file. */
declare module "*/licenses.txt" {
  const path: string;
  export default path;
}
