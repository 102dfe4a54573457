/** A small internet in namespaces: brings it up, runs programs in its hosts, censors, counts, and takes it down. */
import type { ChildProcess } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import type { CensorOptions } from './censor.ts';
import { ask, type Counters, type LabStatus, type RequestName, type Requests, type ServiceChange } from './control.ts';
import { type CurlRequest, type CurlResult, curlArguments, curlResult } from './curl.ts';
import {
  type ExecOptions,
  type ExecResult,
  execInHost,
  type Inside,
  type SpawnOptions,
  spawnInHost,
} from './inside.ts';
import { labError } from './lab-error.ts';
import { farResolvers, resolvers } from './plan.ts';
import { isAlive, type ProcessId, signalProcess } from './process-id.ts';
import type { DnsBehaviour, Service, ServiceSpec } from './service.ts';
import { startKeeper } from './start.ts';
import { StateFolder } from './state-folder.ts';
import { type CensorKind, type HostName, hostNames } from './vocabulary.ts';

export interface LabOptions {
  /** Made (mode 0700) if it is missing; unix sockets and files in it are the same inside and outside. */
  readonly stateDir: string;
  /** What `world` serves; a handful of made-up names when left out. */
  readonly services?: readonly ServiceSpec[];
  /** Outlive this process. By default the lab ends with it, however it ends. */
  readonly detached?: boolean;
}

export class Lab {
  readonly #folder: StateFolder;
  readonly #init: ProcessId;
  readonly #inside: Inside;
  readonly resolvers: readonly string[] = resolvers;
  /** Two more that no host uses by itself, and whose answers the censor leaves alone. */
  readonly farResolvers: readonly string[] = farResolvers;

  private constructor(folder: StateFolder, init: ProcessId, userNamespace: boolean) {
    this.#folder = folder;
    this.#init = init;
    this.#inside = { pid: init.pid, userNamespace };
  }

  /**
   * Takes about a second. Cleans up after a lab of the same folder that crashed.
   * Throws LabError: `lab-running`, `lab-tool-missing`, `lab-state-folder`, `lab-namespaces`, `lab-service`, `lab-start`.
   */
  static async up({ stateDir, services = [], detached = false }: LabOptions): Promise<Lab> {
    const folder = StateFolder.create(stateDir);
    const { init, userNamespace } = await startKeeper(folder, services, detached);
    return new Lab(folder, init, userNamespace);
  }

  /** The lab that another process brought up. Throws LabError `lab-not-running`. */
  static attach(stateDir: string): Lab {
    const folder = StateFolder.open(stateDir);
    const record = folder.record();
    if (record?.init === undefined || !isAlive(record.init)) {
      throw labError('lab-not-running', `no lab runs at ${folder.path}`, 'Bring one up with: netsteward lab up');
    }
    return new Lab(folder, record.init, record.userNamespace ?? false);
  }

  get stateDir(): string {
    return this.#folder.path;
  }
  /** The certificate authority of all services, PEM. */
  get caFile(): string {
    return this.#folder.authority;
  }
  /** The administrator's ruleset of the router: starts with `flush ruleset`, to be loaded in `router` with `nft -f`. */
  get routerRuleset(): string {
    return this.#folder.routerRuleset;
  }
  /** Process id of the lab's first process: kill it, and the lab is gone. */
  get keeperPid(): number {
    return this.#init.pid;
  }
  get running(): boolean {
    return isAlive(this.#init);
  }

  /** Resolves when the lab has ended, or when `signal` aborts; which of both is what `running` says. Keeps this process alive. */
  async ended(signal?: AbortSignal): Promise<void> {
    while (this.running && signal?.aborted !== true) await wait(200, undefined, { signal }).catch(() => {});
  }

  /** Runs a program in a host to its end. Throws LabError `lab-host` for an unknown host. */
  exec(host: HostName, argv: readonly [string, ...string[]], options: ExecOptions = {}): Promise<ExecResult> {
    return execInHost(this.#inside, checkedHost(host), argv, options);
  }

  /** Starts a program in a host; `kill` of the result reaches the program itself, with any signal. */
  spawn(host: HostName, argv: readonly [string, ...string[]], options: SpawnOptions = {}): ChildProcess {
    return spawnInHost(this.#inside, checkedHost(host), argv, options);
  }

  /**
   * `target`: a service's name, an address, `ipv4` or `ipv6`, or several of these at once. One target has one kind at a time; `none`
   * ends it. In force, for all of them or none, when it resolves. Throws LabError `lab-target`.
   */
  async censor(target: string | readonly string[], kind: CensorKind, options: CensorOptions = {}): Promise<void> {
    await this.#ask('censor', { targets: typeof target === 'string' ? [target] : target, kind, options });
  }

  /** What DNS says of a name from now on; `*`: of every name that was not told of by itself. */
  async dns(name: string, behaviour: DnsBehaviour): Promise<void> {
    await this.#ask('dns', { name, behaviour });
  }

  /** Changes a service (what is left out stays), or adds it. */
  service(name: string, change: ServiceChange): Promise<Service> {
    return this.#ask('service', { name, change });
  }

  counters(): Promise<Counters> {
    return this.#ask('counters', {});
  }

  status(): Promise<LabStatus> {
    return this.#ask('status', {});
  }

  /** One fetch with curl, names resolved as in that host. Never rejects because of what the network does. */
  async curl(name: string, request: CurlRequest = {}): Promise<CurlResult> {
    const argv = curlArguments(name, request, this.caFile);
    const result = await this.exec(request.host ?? 'lan', argv, { timeout: (request.timeout ?? 5000) + 5000 });
    return curlResult(result, request);
  }

  /** Ends everything inside and removes what the lab made in its state folder. Idempotent. */
  async down(): Promise<void> {
    signalProcess(this.#init, 'SIGKILL');
    // The kernel ends the first process of a pid namespace after all others (pid_namespaces(7)).
    while (isAlive(this.#init)) await wait(5);
    const record = this.#folder.record();
    if (record?.init?.start === this.#init.start) this.#folder.sweep();
  }

  #ask<Name extends RequestName>(name: Name, body: Requests[Name]['ask']): Promise<Requests[Name]['answer']> {
    return ask(this.#folder.control, name, body);
  }
}

function checkedHost(host: HostName): HostName {
  if (hostNames.includes(host)) return host;
  throw labError('lab-host', `the lab has no host ${JSON.stringify(host)}`, `It has ${hostNames.join(', ')}.`);
}
