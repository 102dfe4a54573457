/** Makes the lab's hosts, and carries out what is asked over the control socket. */
import { mkdirSync, realpathSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { canonicalName } from './address.ts';
import {
  type CensorOptions,
  type CensorRule,
  censorRule,
  censorScript,
  type MiddleboxPorts,
  parseTarget,
  planCensor,
  targetKey,
} from './censor.ts';
import { type Requests, type ServiceChange, serveControl } from './control.ts';
import { countersOf } from './counters.ts';
import { dnsBehaviour } from './dns-behaviour.ts';
import { labError } from './lab-error.ts';
import { NodeHost } from './node-host.ts';
import { linksOf, resolvers, tunnelRoute } from './plan.ts';
import { exitRuleset, ispRuleset, outageScript, routerRuleset, worldRuleset } from './rulesets.ts';
import { type DnsBehaviour, defaultServices, type Service, type ServiceSpec, serviceOf } from './service.ts';
import type { StateFolder } from './state-folder.ts';
import { must } from './tools.ts';
import { type CensorKind, censorKinds, type HostName, hostNames } from './vocabulary.ts';
import {
  addressBatch,
  linkBatch,
  linksReadyScript,
  ownershipBatch,
  routeBatch,
  settingsScript,
  tunnelRules,
} from './wiring.ts';

export class Keeper {
  readonly #folder: StateFolder;
  readonly #onEnd: (why: string) => void;
  readonly #since = Date.now();
  readonly #services = new Map<string, Service>();
  /** Number of the next service, for made-up addresses. */
  #index = 0;
  readonly #owned = new Set<string>();
  #rules = new Map<string, CensorRule>();
  readonly #behaviours = new Map<string, DnsBehaviour>();
  #world: NodeHost | undefined;
  #middlebox: NodeHost | undefined;
  #dnsPorts: MiddleboxPorts['dns'] | undefined;

  /** `onEnd`: a part of the lab died, so that the rest is no use. */
  constructor(folder: StateFolder, onEnd: (why: string) => void) {
    this.#folder = folder;
    this.#onEnd = onEnd;
  }

  async start(specs: readonly ServiceSpec[]): Promise<void> {
    for (const spec of specs.length === 0 ? defaultServices : specs) this.#add(spec);
    await this.#mounts();
    await must(['ip', '-batch', '-'], linkBatch());
    await onAllHosts(async (host) => {
      await inHost(host, ['sh', '-e'], settingsScript(host));
      await must(['ip', '-n', host, '-batch', '-'], addressBatch(host));
    });
    const world = new NodeHost('world', 'world/world-main', this.#onEnd);
    const middlebox = new NodeHost('isp', 'middlebox/middlebox-main', this.#onEnd);
    this.#world = world;
    this.#middlebox = middlebox;
    writeFileSync(this.#folder.routerRuleset, routerRuleset, { mode: 0o644 });
    await onAllHosts((host) => this.#routes(host));
    await this.#serve();
    const [{ authority }, { dns }] = (await Promise.all([world.ready, middlebox.ready])) as [
      { authority: string },
      { dns: MiddleboxPorts['dns'] },
    ];
    this.#dnsPorts = dns;
    writeFileSync(this.#folder.authority, authority, { mode: 0o644 });
    await serveControl(this.#folder.control, (name, body) => this.#handle(name, body));
  }

  /** A /run and an /etc/resolv.conf that nobody outside sees; the state folder stays reachable should it be in /run. */
  async #mounts(): Promise<void> {
    const { scaffold, path, resolvConf } = this.#folder;
    writeFileSync(
      resolvConf,
      `${resolvers.map((address) => `nameserver ${address}\n`).join('')}options timeout:1 attempts:2\n`,
      {
        mode: 0o644,
      },
    );
    let target: string;
    try {
      target = realpathSync('/etc/resolv.conf');
    } catch (error) {
      throw labError(
        'lab-start',
        '/etc/resolv.conf is missing, so that the lab cannot put its own over it',
        'Make one, if empty.',
        error,
      );
    }
    const run = realpathSync('/run');
    mkdirSync(scaffold, { recursive: true });
    // -n: mount(8) keeps a table in /run, and until it is moved away that is the host's.
    await must(['mount', '-n', '-t', 'tmpfs', '-o', 'mode=755', 'lab', scaffold]);
    if (`${path}/`.startsWith(`${run}/`)) {
      const inside = join(scaffold, relative(run, path));
      mkdirSync(inside, { recursive: true });
      await must(['mount', '-n', '--bind', path, inside]);
    }
    if (target.startsWith(`${run}/`)) {
      const inside = join(scaffold, relative(run, target));
      mkdirSync(dirname(inside), { recursive: true });
      writeFileSync(inside, '');
    }
    await must(['mount', '-n', '--move', scaffold, run]);
    rmdirSync(scaffold);
    await must(['mount', '-n', '--bind', resolvConf, target]);
  }

  async #routes(host: HostName): Promise<void> {
    await inHost(host, ['sh', '-e'], linksReadyScript(host));
    const routes = routeBatch(host);
    if (routes !== '') await must(['ip', '-n', host, '-batch', '-'], routes);
    if (host === 'router') {
      for (const family of [4, 6] as const) {
        await must(['ip', `-${family}`, '-n', host, '-batch', '-'], tunnelRules(family));
      }
      await inHost(host, ['nft', '-f', this.#folder.routerRuleset]);
    }
    const exits = { exit: exitRuleset, exit2: exitRuleset };
    const ruleset = { isp: ispRuleset, ...exits, world: worldRuleset, lan: undefined, router: undefined }[host];
    if (ruleset !== undefined) await inHost(host, ['nft', '-f', '-'], ruleset);
  }

  #add(spec: ServiceSpec): Service {
    const service = serviceOf(spec, this.#index++);
    this.#services.set(service.name, service);
    return service;
  }

  /** Makes `world` serve what is wanted of it now. */
  async #serve(): Promise<void> {
    const services = [...this.#services.values()];
    const batch = ownershipBatch(services, this.#owned);
    if (batch !== '') await must(['ip', '-n', 'world', '-batch', '-'], batch);
    for (const { addresses } of services) for (const address of addresses) this.#owned.add(address);
    await inHost('world', ['nft', '-f', '-'], outageScript(services));
    await this.#world?.request({ kind: 'services', services });
  }

  /** Makes `isp` censor what is wanted of it now: the middlebox first, so that nothing is diverted to a closed port. */
  async #censor(): Promise<void> {
    const plan = planCensor([...this.#rules.values()], [...this.#services.values()]);
    const diversions = (await this.#middlebox?.request({
      diversions: plan.diversions,
      poison: Object.fromEntries(plan.poison),
    })) as MiddleboxPorts['diversions'];
    if (this.#dnsPorts === undefined) throw new TypeError('the middlebox is not ready');
    await inHost('isp', ['nft', '-f', '-'], censorScript(plan, { diversions, dns: this.#dnsPorts }));
  }

  async #handle(name: string, body: unknown): Promise<unknown> {
    switch (name) {
      case 'status':
        return this.#status();
      case 'censor': {
        const { targets, kind, options } = body as Requests['censor']['ask'];
        return this.#setCensor(targets, kind, options);
      }
      case 'dns': {
        const { name: host, behaviour } = body as Requests['dns']['ask'];
        return this.#setDns(host, behaviour);
      }
      case 'service': {
        const { name: host, change } = body as Requests['service']['ask'];
        return this.#setService(host, change);
      }
      case 'counters': {
        const [direct, tunnel] = await Promise.all(
          (['isp', 'exit'] as const).map((host) => inHost(host, ['nft', '-j', 'list', 'table', 'inet', 'lab'])),
        );
        return { direct: countersOf(direct ?? ''), tunnel: countersOf(tunnel ?? '') };
      }
      default:
        throw labError('lab-request', `the lab knows no request ${JSON.stringify(name)}`);
    }
  }

  async #setCensor(texts: readonly string[], kind: CensorKind, options: CensorOptions): Promise<void> {
    if (!censorKinds.includes(kind)) {
      throw labError('lab-request', `no such kind of censorship: ${JSON.stringify(kind)}`);
    }
    const before = new Map(this.#rules);
    try {
      for (const text of texts) {
        const target = parseTarget(text);
        if (target.type === 'name') this.#known(target.value);
        if (kind === 'none') this.#rules.delete(targetKey(target));
        else this.#rules.set(targetKey(target), censorRule(target, kind, options));
      }
      await this.#censor();
    } catch (error) {
      this.#rules = before;
      throw error;
    }
  }

  async #setDns(text: string, behaviour: DnsBehaviour): Promise<void> {
    const name = text === '*' ? text : canonicalName(text);
    if (name === undefined) throw labError('lab-target', `${JSON.stringify(text)} is not a host name`);
    const checked = dnsBehaviour(behaviour);
    if (checked.kind === 'normal' && checked.delay === undefined) this.#behaviours.delete(name);
    else this.#behaviours.set(name, checked);
    await this.#world?.request({ kind: 'dns', behaviours: Object.fromEntries(this.#behaviours) });
  }

  async #setService(text: string, change: ServiceChange): Promise<Service> {
    const name = canonicalName(text);
    const before = name === undefined ? undefined : this.#services.get(name);
    let service: Service;
    if (before === undefined) {
      service = this.#add({ ...change, name: text });
    } else {
      const ofFamily = (colon: boolean): string[] =>
        before.addresses.filter((address) => address.includes(':') === colon);
      service = serviceOf({ ...before, ipv4: ofFamily(false), ipv6: ofFamily(true), ...change, name: before.name }, 0);
      this.#services.set(service.name, service);
    }
    await this.#serve();
    if (this.#rules.size > 0) await this.#censor();
    return service;
  }

  #known(name: string): Service {
    const service = this.#services.get(name);
    if (service !== undefined) return service;
    const names = [...this.#services.keys()];
    const shown =
      names.length > 12 ? `${names.slice(0, 12).join(', ')} and ${names.length - 12} more` : names.join(', ');
    throw labError('lab-target', `the lab serves no ${name}`, `It serves ${shown}.`);
  }

  #status(): Requests['status']['answer'] {
    return {
      since: this.#since,
      caFile: this.#folder.authority,
      routerRuleset: this.#folder.routerRuleset,
      resolvers,
      tunnel: { mark: tunnelRoute.mark, mask: tunnelRoute.mask, table: tunnelRoute.table },
      hosts: hostNames.map((host) => ({
        host,
        devices: linksOf(host).map(({ end, peer }) => ({
          device: end.device,
          peer: peer.host,
          addresses: [end.ipv4, end.ipv6],
        })),
      })),
      services: [...this.#services.values()],
      dns: Object.fromEntries(this.#behaviours),
      censored: [...this.#rules.values()].map(({ target, ...rule }) => ({ ...rule, target: target.value })),
    };
  }
}

async function onAllHosts(action: (host: HostName) => Promise<void>): Promise<void> {
  await Promise.all(hostNames.map(action));
}

function inHost(host: HostName, argv: readonly string[], input = ''): Promise<string> {
  return must(['ip', 'netns', 'exec', host, ...argv], input);
}
