/** The contract's pass once more, row by row as it is written there and as slow as it reads: the model that the program is compared with. */

export type Word = 'ok' | 'na' | 'skipped' | null;
type Tri = boolean | null;

export interface HostRow {
  readonly id: number;
  readonly name: string;
  readonly type: string;
  readonly result: string;
  readonly policy: string;
  state: 'ok' | 'failing' | 'unstable' | 'na' | null;
  checked: number;
  changed: number;
  failingSince: number;
}

export interface AddressRow {
  readonly id: number;
  readonly host: string;
  readonly address: string;
  state: Word;
  seen: number;
  checked: number;
  changed: number;
  altChecked: number;
  down: number;
}

export interface ModelSettings {
  readonly hostAddrs: number;
  readonly addrState: number;
  readonly hostOkState: number;
  readonly hostNaState: number;
  readonly hostAddrTimeout: number;
  readonly addrsPerHost: number;
  /** Route and flags of hosts that name none. */
  readonly defaultPolicy: string;
}

/** What one run is given: the list as `host type result policy` rows, and the items of a rehearsal's file. */
export interface ModelRun {
  readonly now: number;
  readonly list: readonly { host: string; type: string; result: string; policy: string }[];
  readonly items: readonly { host?: string; address: string; code?: number }[];
  readonly forced: boolean;
  readonly only?: string;
  readonly hosts: number;
  readonly addresses: number;
}

export interface ModelOutcome {
  /** Lines of -X that the contract asks for. */
  readonly updates: readonly string[];
  readonly dump: readonly string[];
}

const six = (address: string): boolean => address.includes(':');
const triOf = (word: Word): Tri => (word === 'ok' ? true : word === 'na' ? false : null);
const triOfHost = (word: HostRow['state']): Tri => (word === null ? null : word !== 'na');

export class ContractModel {
  hosts: HostRow[] = [];
  addresses: AddressRow[] = [];
  readonly #settings: ModelSettings;
  #ids = 1;

  constructor(settings: ModelSettings) {
    this.#settings = settings;
  }

  of(host: string): AddressRow[] {
    return this.addresses.filter((row) => row.host === host);
  }

  newest(host: string): number {
    return Math.max(0, ...this.of(host).map((row) => row.seen));
  }

  policy(host: HostRow): { route: string; one: boolean } {
    const text = host.policy === '' ? this.#settings.defaultPolicy : host.policy;
    if (!text.includes('.') && /^[46DNL1R]+$/.test(text)) return { route: 'af-any', one: text.includes('1') };
    const [route = '', flags = ''] = text.split('.');
    return { route: route.toLowerCase().replaceAll('_', '-'), one: flags.includes('1') };
  }

  /** Section 5, steps 1 to 6. */
  pass(run: ModelRun): ModelOutcome {
    const settings = this.#settings;
    const { now } = run;
    const before = new Map(this.hosts.map((host) => [host.name, triOfHost(host.state)]));
    this.#edit(run.list);

    const isDue = (checked: number, interval: number): boolean => checked <= (run.forced ? now : now - interval);
    const resolved = this.hosts
      .filter((host) => (run.only === undefined || host.name === run.only) && isDue(host.checked, settings.hostAddrs))
      .sort((a, b) => a.checked - b.checked || a.id - b.id)
      .slice(0, run.hosts);
    for (const host of resolved) this.#resolve(host, run);

    const due = this.addresses
      .filter((row) => (run.only === undefined || row.host === run.only) && isDue(row.checked, settings.addrState))
      .sort((a, b) => a.checked - b.checked || a.id - b.id)
      .slice(0, run.addresses);
    const moves: { row: AddressRow; old: Tri }[] = [];
    for (const row of due) {
      const next = this.#result(row, run.items);
      const old = triOf(row.state);
      row.down = row.down >= row.checked ? row.changed : 0;
      row.checked = now;
      if (next === old) continue;
      row.state = next === null ? 'skipped' : next ? 'ok' : 'na';
      row.changed = now;
      moves.push({ row, old });
    }

    const graces = run.only === undefined ? settings : { hostOkState: 0, hostNaState: 0 };
    const reported = new Set<string>();
    for (const host of resolved) if (this.#decide(host, now, graces)) reported.add(host.name);
    return { updates: this.#updates(reported, moves, before), dump: this.dump() };
  }

  /** The -F pass. */
  alternatives(now: number, items: ModelRun['items'], limit: number): void {
    const states = new Map(this.hosts.map((host) => [host.name, host.state]));
    const picked = this.addresses
      .filter((row) => ['failing', 'unstable'].includes(states.get(row.host) ?? ''))
      .filter((row) => row.state !== 'ok' && row.state !== null && row.altChecked <= now)
      .sort((a, b) => a.altChecked - b.altChecked || a.id - b.id)
      .slice(0, limit);
    for (const row of picked) {
      const failed = this.#result(row, items) === false;
      row.altChecked = now;
      if (failed) row.down = now;
    }
  }

  /** Section 6. */
  dump(): string[] {
    const lines: string[] = [];
    for (const host of [...this.hosts].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      for (const row of this.of(host.name).sort((a, b) => (a.address < b.address ? -1 : 1))) {
        const verdict = this.#verdict(host, row);
        if (verdict !== null) lines.push(`${verdict ? 'ok' : 'na'} ${host.name} ${row.address} ${host.type}`);
      }
    }
    return lines;
  }

  /** Section 8, in UTC. */
  print(): string {
    const reversed = (text: string): string => text.split('').reverse().join('');
    const time = (seconds: number): string => new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', '.');
    const words = { ok: 'OK', na: 'blocked', failing: '-failing-', unstable: '/unstable/' };
    let text = '';
    for (const host of [...this.hosts].sort((a, b) => (reversed(a.name) < reversed(b.name) ? -1 : 1))) {
      const rows = this.of(host.name);
      if (rows.length === 0) continue;
      const state = host.state === null ? '???' : words[host.state];
      text += `\n${host.name} [${host.type} ${state} @ ${time(host.changed)}]:\n`;
      const isNew = (row: AddressRow): boolean => row.seen === this.newest(host.name);
      const key = (row: AddressRow): string => `${isNew(row) ? 0 : 1}${six(row.address) ? 1 : 0}${row.address}`;
      for (const row of rows.sort((a, b) => (key(a) < key(b) ? -1 : 1))) {
        text += ` ${isNew(row) ? '*' : ' '}${row.address} :: [${time(row.changed)}] ${row.state ?? '???'}\n`;
      }
    }
    return `${text}\n`;
  }

  #edit(list: ModelRun['list']): void {
    this.hosts = this.hosts.filter((host) => list.some((entry) => entry.host === host.name));
    this.addresses = this.addresses.filter((row) => this.hosts.some((host) => host.name === row.host));
    for (const { host: name, type, result, policy } of list) {
      const known = this.hosts.findIndex((host) => host.name === name);
      const old = this.hosts[known];
      if (old?.type === type && old.result === result && old.policy === policy) continue;
      const id = old?.id ?? this.#ids++;
      const times = { checked: 0, changed: 0, failingSince: 0 };
      const fresh: HostRow = { id, name, type, result, policy, state: null, ...times };
      if (old === undefined) this.hosts.push(fresh);
      else this.hosts[known] = fresh;
    }
  }

  #resolve(host: HostRow, { now, items }: ModelRun): void {
    host.checked = now;
    for (const item of items) {
      if (item.host !== host.name) continue;
      const known = this.of(host.name).find((row) => row.address === item.address);
      if (known !== undefined) known.seen = now;
      else {
        const times = { seen: now, checked: 0, changed: 0, altChecked: 0, down: 0 };
        this.addresses.push({ id: this.#ids++, host: host.name, address: item.address, state: null, ...times });
      }
    }
    const times = this.of(host.name)
      .map((row) => row.seen)
      .sort((a, b) => b - a);
    const least = Math.max(now - this.#settings.hostAddrTimeout, times[this.#settings.addrsPerHost] ?? -1);
    this.addresses = this.addresses.filter((row) => row.host !== host.name || row.seen >= least);
  }

  /** Sections 1 and 3: what a check says; null for no result. */
  #result(row: AddressRow, items: ModelRun['items']): Tri {
    const host = this.hosts.find(({ name }) => name === row.host);
    if (host === undefined || !['https', 'http', 'dns'].includes(host.type)) return null;
    if (host.result === 'na') return false;
    if (host.type === 'dns') return true;
    const item = items.filter(({ address }) => address === row.address).at(-1);
    if (item === undefined) return null;
    if (item.code === undefined) return true;
    const wanted = host.result === '' ? [200, 301, 302] : host.result.split('/').map((code) => Number(code || '-1'));
    return wanted.includes(item.code);
  }

  #wanted(host: HostRow): Tri {
    const { route, one } = this.policy(host);
    const rows = this.of(host.name).filter((row) => !one || row.seen === this.newest(host.name));
    const vote = (row: AddressRow): Tri => (row.down >= row.changed ? null : triOf(row.state));
    const of = (some: AddressRow[]): Tri => {
      const votes = some.map(vote);
      return votes.includes(false) ? false : votes.includes(true) ? true : null;
    };
    if (route === 'noroute') return true;
    if (route === 'pick') return of(rows) !== false;
    if (route !== 'af-any') return of(rows);
    const families = [of(rows.filter((row) => !six(row.address))), of(rows.filter((row) => six(row.address)))];
    return families.includes(true) ? true : families.includes(false) ? false : null;
  }

  /** The table of section 5; tells whether the host is reported. */
  #decide(host: HostRow, now: number, graces: Pick<ModelSettings, 'hostOkState' | 'hostNaState'>): boolean {
    const rows = this.of(host.name);
    if (rows.length === 0) return false;
    const marked = rows.some((row) => row.down >= row.changed);
    const want = this.#wanted(host);
    const was = triOfHost(host.state);
    let write: HostRow['state'] = null;
    let reported = false;
    if (want !== was && want === true) {
      if (was === null || now - host.changed >= graces.hostOkState) [write, reported] = ['ok', true];
    } else if (want !== was && host.state === 'ok') write = 'failing';
    else if (want !== was) {
      // "Count the na wait from a second time": only where the host fails, and is not na already.
      const counted = want === false && was === true;
      const since = counted ? host.failingSince || now : host.changed;
      if (was === null || now - since >= graces.hostNaState) [write, reported] = [want === false ? 'na' : 'ok', true];
    } else if (want === true && host.state !== 'ok') write = 'ok';

    const back = write === 'ok' || (want === true && host.state !== 'na');
    // "One write per host, by priority na > failing > unstable > ok". A blocked host is not freed by a mark alone.
    if (marked && write !== 'na' && write !== 'failing' && !(host.state === 'na' && write === null)) write = 'unstable';
    if (write !== null) [host.state, host.changed] = [write, now];
    if (back) host.failingSince = 0;
    else if (host.state !== null && host.failingSince === 0 && want !== true) host.failingSince = now;
    return reported;
  }

  #verdict(host: HostRow, row: AddressRow): Tri {
    const { route, one } = this.policy(host);
    if (route === 'noroute') return true;
    if (route === 'pick') return triOf(row.state);
    if (route !== 'af-pick' || triOfHost(host.state) === true) return triOfHost(host.state) === true;
    const family = this.of(host.name).filter((other) => six(other.address) === six(row.address));
    return !family.some((other) => triOf(other.state) === false && (!one || other.seen === this.newest(host.name)));
  }

  /** Section 7. */
  #updates(reported: ReadonlySet<string>, moves: { row: AddressRow; old: Tri }[], before: Map<string, Tri>): string[] {
    const wholes = new Set(reported);
    const singles = new Set<AddressRow>();
    for (const { row, old } of moves) {
      const host = this.hosts.find(({ name }) => name === row.host);
      if (host === undefined) continue;
      const { route, one } = this.policy(host);
      if (route === 'pick' || route === 'noroute') singles.add(row);
      else if (one && row.seen !== this.newest(host.name)) continue;
      else if (route === 'af-pick' && !(!reported.has(host.name) && before.get(host.name) === true)) {
        wholes.add(host.name);
      } else if (!reported.has(host.name) && old === null) singles.add(row);
    }
    const told = (line: string): boolean => {
      const [, host = '', address = ''] = line.split(' ');
      return wholes.has(host) || [...singles].some((row) => row.host === host && row.address === address);
    };
    return this.dump().filter(told);
  }
}
