/**
 * lib/publish: the control API, HTTP/JSON on the unix socket `control.sock` in the runtime directory.
 *
 * It owns the socket, the routes, the wire types and one bounded queue per streaming client. It never decides, never
 * touches a process and never holds up the pipeline: a client that reads too slowly loses its oldest lines and is told
 * how many.
 * Who may connect is decided by file permissions: the directory must be 0700 and owned by this user, the socket 0600.
 * Who commands is asked of the kernel through `PeerPort`: a process of a guarded session commands nothing.
 * Errors: `AgentguardError` from `start` (busy, permission, config, io); towards clients always
 * `{"error":{"code","message"}}`.
 * Lifetimes: the constructor starts nothing; `start` binds; `stop` ends every stream, closes and removes the socket.
 */
export { type EntryMatch, eventFilterMatches, parseEventFilter } from "./filter.ts";
export { ApproverServer, type ApproverServerOptions } from "./approver_server.ts";
export { ApproverSocket, type ApproverSocketOptions, type SocketAccess } from "./approver_socket.ts";
export { CONTROL_LIMITS } from "./limits.ts";
export { approverSocketDir, approverSocketPath, CONTROL_SOCKET_NAME, controlSocketPath } from "./socket.ts";
export { ControlServer, type ControlServerOptions } from "./server.ts";
export type {
  ApiErrorBody,
  ApprovalDesk,
  ConfigValue,
  ControlPorts,
  EventFilter,
  EventPort,
  GuardStatus,
  Lag,
  LayerStatus,
  LossStatus,
  Peer,
  PeerPort,
  PolicyStatus,
  QueueStatus,
  RecordPort,
  ReloadPort,
  RemoteAddress,
  SessionPort,
  SessionState,
  SessionView,
  SignedMessage,
  StatusPort,
} from "./types.ts";
