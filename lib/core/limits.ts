/** Every bound of the product with its unit and reason. Nothing that an outsider controls grows without one. */

export const LIMITS = {
  /** argv kept of one exec, bytes; the kernel allows far more (`MAX_ARG_STRLEN` is 128 KiB each). */
  argv_bytes_max: 65_536,
  /** Longest path that the kernel's own calls accept (`PATH_MAX`). */
  path_bytes_max: 4_096,
  /** Longest file name (`NAME_MAX`). */
  name_bytes_max: 255,
  /** Processes remembered by the process table: more than a busy host runs at once. */
  processes_max: 65_536,
  /** Addresses whose names are remembered: twice what the kernel's table holds. */
  named_addresses_max: 32_768,
  /** Names remembered of one address: a shared front of many sites has more. */
  address_names_max: 16,
  /** Names of one address, by the rules that they fulfil, that the kernel tells apart (`probes/`). */
  kernel_address_names_max: 6,
  /** Sessions governed at once by one guard. */
  sessions_max: 1_024,
  /** Files open at once whose bytes are joined to their open. */
  open_files_max: 65_536,
  /** A policy file, bytes. */
  policy_bytes_max: 4_194_304,
  /** Rules in all layers together. */
  policy_rules_max: 20_000,
  /** One pattern, bytes. */
  pattern_bytes_max: 4_096,
  /** Network rules in the kernel: four 64-bit words of a bit vector. */
  kernel_net_rules_max: 256,
  /** Host patterns of all rules in the kernel's table. */
  kernel_host_patterns_max: 4_096,
  /** Directories, and ports of each kind, that a command's baseline can be told (ffi/native/launch_protocol.h). */
  baseline_places_max: 64,
  baseline_ports_max: 64,
  /** File rules in the kernel, for the same reason. */
  kernel_file_rules_max: 256,
  /** A path that a map of the kernel holds, bytes: a key of a prefix tree has at most 256. */
  kernel_path_bytes_max: 246,
  /** Names below protected directories that are looked at for files with names elsewhere, when a policy is loaded. */
  protected_names_max: 20_000,
  /** Telemetry ring, bytes: 100 ms of 500,000 events/s at 300 bytes, rounded up to a power of two. */
  telemetry_ring_bytes: 16_777_216,
  /** Decision ring, bytes: a storm of 5,000 execs at 1 KiB, rounded up. */
  decision_ring_bytes: 8_388_608,
  /** Entries in one commit of the recorder. */
  commit_entries_max: 1_024,
  /** Longest wait of a decision and of all that is not merely seen before its commit, milliseconds. */
  commit_wait_ms_max: 5,
  /** The same for what was only seen. Every commit interrupts the machine, also whoever is guarded. */
  commit_seen_wait_ms_max: 200,
  /** Entries waiting for the recorder before opens are coalesced. */
  recorder_queue_soft: 65_536,
  /** Time for an orderly shutdown, milliseconds. */
  shutdown_ms_max: 30_000,
} as const;
