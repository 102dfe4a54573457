/** The status page while it runs: what it serves and where, reload, health, stop. */
import { isDeepStrictEqual } from 'node:util';
import { NetstewardError } from '../../core/errors.ts';
import type { ModuleHealth, RunningModule } from '../../core/module.ts';
import { WarningBoard } from '../../core/warnings.ts';
import { bindingText, isLocal } from './binding.ts';
import type { PageConfig, PageService } from './config.ts';
import { type Listening, listenAt, type SocketRights } from './listen.ts';
import { Past } from './past.ts';
import type { PageControl, PageHost } from './ports.ts';
import { Present } from './present.ts';
import { makeServer, type Site } from './server.ts';
import type { Access } from './shapes.ts';
import { makeSite } from './site.ts';
import { readToken } from './token.ts';

/** JSON values only. */
export interface PageDetail {
  /** As in page.listen, with the port that it got. */
  readonly listen: string;
  /** Who watches it now. */
  readonly watchers: number;
}

/** One configuration in force. */
interface Live {
  readonly config: PageConfig;
  readonly service: PageService;
  readonly token: string | undefined;
  readonly control: PageControl;
  readonly past: Past;
}

export class RunningPage implements RunningModule<PageConfig> {
  readonly done: Promise<void>;
  readonly #host: PageHost;
  readonly #board: WarningBoard;
  readonly #present: Present;
  readonly #site: Site;
  #live: Live;
  #listening: Listening | undefined;
  #stopping: Promise<void> | undefined;
  #end: () => void = () => undefined;

  private constructor(host: PageHost, live: Live, assets: Awaited<ReturnType<PageHost['assets']>>) {
    this.#host = host;
    this.#live = live;
    this.done = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#board = new WarningBoard(
      () => host.clock.now(),
      (change, { code, subject, text, remedy }) => {
        host.log[change === 'raised' ? 'warn' : 'info'](`warning-${change}`, { code, subject, text, remedy });
      },
    );
    const control = (): PageControl => this.#live.control;
    this.#present = new Present({ clock: host.clock, control, access: () => accessOf(this.#live) });
    this.#site = makeSite({
      clock: host.clock,
      present: this.#present,
      assets,
      control,
      past: () => this.#live.past,
      token: () => this.#live.token,
    });
  }

  /** Rejects with NetstewardError `page-not-listening`, `page-token-file`, `page-group-unknown`; nothing is left behind then. */
  static async start(config: PageConfig, host: PageHost, signal: AbortSignal): Promise<RunningPage> {
    signal.throwIfAborted();
    const live = await prepare(config, host, undefined);
    const running = new RunningPage(host, live, await host.assets());
    signal.throwIfAborted();
    running.#listening = await running.#listen(config);
    running.#warn();
    if (!signal.aborted) return running;
    await running.stop();
    throw signal.reason;
  }

  async reload(next: PageConfig): Promise<void> {
    const before = this.#live;
    const live = await prepare(next, this.#host, before);
    if (isDeepStrictEqual(before.config.listen, next.listen)) {
      await this.#listening?.setRights(await rightsOf(next, this.#host));
    } else {
      const listening = await this.#listen(next);
      await this.#listening?.close();
      this.#listening = listening;
    }
    this.#live = live;
    if (before.past !== live.past) before.past.close();
    // Who watches was let in by the old token.
    if (before.token !== live.token) this.#present.watchers.close();
    this.#present.forget();
    this.#warn();
  }

  health(): ModuleHealth {
    const listen = bindingText(this.#listening?.binding ?? this.#live.config.listen);
    const watchers = this.#present.watchers.count;
    const detail: PageDetail = { listen, watchers };
    const watched = watchers === 0 ? '' : `; ${watchers} watching`;
    return { ready: true, summary: `listens on ${listen}${watched}`, warnings: this.#board.list(), detail };
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#present.close();
    await this.#listening?.close();
    this.#site.close();
    this.#end();
  }

  async #listen(config: PageConfig): Promise<Listening> {
    const rights = await rightsOf(config, this.#host);
    return listenAt(makeServer(this.#site, config.listen), config.listen, rights);
  }

  #warn(): void {
    const { listen } = this.#live.config;
    if (isLocal(listen)) this.#board.clear('page-remote', '');
    else this.#board.raise('page-remote', '', { listen: bindingText(listen) });
  }
}

async function rightsOf({ mode, group: name }: PageConfig, host: PageHost): Promise<SocketRights> {
  const group = name === undefined ? undefined : await host.groupId(name);
  if (name === undefined || group !== undefined) return { mode, group };
  throw new NetstewardError('page-group-unknown', `there is no group ${name}`, {
    remedy: `Make it (groupadd --system ${name}), or name another one in page.group.`,
  });
}

function accessOf({ config, token }: Live): Access {
  return {
    reading: isLocal(config.listen) ? 'open' : 'token',
    check: token === undefined ? 'off' : 'token',
    why: token === undefined ? 'No token is configured (page.token_file).' : '',
  };
}

async function prepare(config: PageConfig, host: PageHost, before: Live | undefined): Promise<Live> {
  const { service } = config;
  if (service === undefined) throw new NetstewardError('page-config', 'the page does not know the control socket');
  const token = await readToken(config.token_file, host);
  return {
    config,
    service,
    token,
    control: host.openControl(service.socket),
    past:
      before !== undefined && before.service.history === service.history
        ? before.past
        : new Past(host.openHistory, service.history),
  };
}
