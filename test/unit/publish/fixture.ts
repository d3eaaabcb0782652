/** A control server with ports in memory, for the tests of the API. */
import { ControlServer } from "../../../lib/publish/mod.ts";
import { MemoryLog, MemoryPeers, MemoryPorts, TempDir } from "./support.ts";

export const UID: number = process.getuid?.() ?? 0;

/** A started server on a temporary runtime directory. */
export class Fixture implements AsyncDisposable {
  readonly dir: TempDir = new TempDir();
  readonly ports: MemoryPorts = new MemoryPorts();
  readonly log: MemoryLog = new MemoryLog();
  readonly peers: MemoryPeers = new MemoryPeers();
  readonly server: ControlServer;

  constructor() {
    this.server = new ControlServer(this.ports, {
      runtime_dir: `${this.dir.path}/run`,
      uid: UID,
      log: this.log,
      peers: this.peers,
    });
  }

  static async started(): Promise<Fixture> {
    const fixture = new Fixture();
    await fixture.server.start();
    return fixture;
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`http://agentguard${path}`, { ...init, unix: this.server.path });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
    this.dir[Symbol.dispose]();
  }
}
