/** The page's start: what is heard goes into the model, and once a frame what changed goes to the part that shows it. */
import type {
  CheckAnswer,
  EventRow,
  Events,
  Latency,
  PageProblem,
  StatePatch,
  Strips,
} from '../src/supervisor/page/shapes.ts';
import { TokenField } from './access.ts';
import { make, part, setAttribute, setHidden, setText } from './dom.ts';
import { palette } from './draw.ts';
import { ExitsView } from './exits.ts';
import { Feed, type Link } from './feed.ts';
import { HistoryOfHosts } from './history.ts';
import { drawLegend } from './legend.ts';
import { nothingKnown, type Part, patched, withEvents } from './model.ts';
import { OverviewView } from './overview.ts';
import { ReactionsView } from './reactions.ts';
import { ResolversView } from './resolvers.ts';
import { ServicesView } from './services.ts';
import { EventsView, NamesView, RulesView } from './side.ts';
import { Tip } from './tip.ts';
import { clockTime } from './words.ts';

const mostEvents = 100;
const minute = 60_000;

class Page {
  readonly #tip = new Tip();
  readonly #token = new TokenField(() => this.#feed.again());
  readonly #overview = new OverviewView();
  readonly #exits = new ExitsView();
  readonly #reactions = new ReactionsView();
  readonly #rules = new RulesView();
  readonly #names = new NamesView();
  readonly #events = new EventsView();
  readonly #period = part<HTMLSelectElement>('period');
  readonly #problem = make('p', { class: 'bad', attributes: { role: 'status' } });
  readonly #services = new ServicesView(this.#tip, {
    allowed: () => this.#token.mayCheck,
    ask: (host) => this.#checkNow(host),
  });
  readonly #resolvers = new ResolversView({ tip: this.#tip, hues: palette }, (path) => this.#feed.get<Latency>(path));
  readonly #feed = new Feed({
    onState: (patch) => this.#heard(patch),
    onEvent: (event) => this.#happened(event),
    onProblem: (problem) => this.#showProblem(problem),
    onLink: (link) => this.#showLink(link),
    token: () => this.#token.value,
  });
  #model = nothingKnown;
  #happenings: readonly EventRow[] = [];
  #eventsProblem = '';
  readonly #changed = new Set<Part | 'events'>();
  /** The machine's clock less this one's, milliseconds: how long ago is counted on the machine's. */
  #ahead = 0;
  #live = false;

  start(): void {
    part('about').after(this.#problem);
    drawLegend();
    this.#period.addEventListener('change', () => void this.#loadStrips());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      drawLegend();
      this.#services.redraw();
      this.#resolvers.redraw();
    });
    setInterval(() => this.#tick(), minute / 2);
    setInterval(() => {
      if (document.visibilityState === 'visible' && this.#live) this.#resolvers.refresh();
    }, 5 * minute);
    void this.#loadStrips();
    void this.#feed.follow();
  }

  get #now(): number {
    return Date.now() + this.#ahead;
  }

  #heard(patch: StatePatch): void {
    this.#ahead = patch.at - Date.now();
    this.#model = patched(this.#model, patch, this.#changed);
    // After each connection: what happened while nobody listened.
    if (patch.full) void this.#loadEvents();
    if (patch.full && this.#live) void this.#loadStrips();
    this.#live = true;
    this.#later();
  }

  #happened(event: EventRow): void {
    this.#happenings = withEvents(this.#happenings, [event], mostEvents);
    this.#changed.add('events');
    this.#later();
  }

  #waiting = false;

  /** One look at the document a frame, however much was heard. */
  #later(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    const show = (): void => {
      this.#waiting = false;
      performance.mark('show');
      this.#show();
      performance.measure('netsteward-update', 'show');
    };
    // A tab behind others draws no frames, and what it has heard is to be there when it comes to the front.
    if (document.visibilityState === 'visible') requestAnimationFrame(show);
    else setTimeout(show, 0);
  }

  #show(): void {
    const [changed, model, now] = [new Set(this.#changed), this.#model, this.#now];
    this.#changed.clear();
    const touched = (...parts: readonly (Part | 'events')[]): boolean => parts.some((each) => changed.has(each));
    if (touched('access') && model.access !== undefined) {
      this.#token.showAccess(model.access);
      this.#services.redraw();
    }
    if (touched('nbrpc')) {
      this.#services.showHead(model.nbrpc);
      this.#exits.show(model, now);
      this.#reactions.show(model);
    }
    if (touched('services')) this.#services.showState(model.services, model.at ?? now);
    if (touched('service', 'nbrpc', 'services', 'modules', 'warnings')) this.#overview.show(model, now);
    if (touched('units', 'cgroupNft')) this.#rules.show(model);
    if (touched('names', 'dyndns')) this.#names.show(model, now);
    if (touched('resolvers', 'dnstest')) this.#resolvers.show(model, now);
    if (touched('events')) this.#events.show(this.#happenings, this.#eventsProblem);
  }

  #tick(): void {
    if (document.visibilityState !== 'visible') return;
    this.#services.tick(this.#now);
    this.#overview.tick(this.#model, this.#now);
    this.#exits.tick(this.#now);
    this.#names.tick(this.#now);
    this.#resolvers.tick(this.#now);
  }

  async #loadStrips(): Promise<void> {
    const { value } = this.#period;
    const hours = Number(value);
    // The server's begin at a midnight of UTC: one day more holds all that is shown.
    const days = Math.ceil(hours / 24) + 1;
    // Where it fails the line says that it is lost, and with the next connection they are asked for again.
    const strips = await this.#feed.get<Strips>(`api/strips?days=${days}`).catch(() => undefined);
    if (strips !== undefined && value === this.#period.value)
      this.#services.showHistory(new HistoryOfHosts(strips, hours), this.#now);
  }

  async #loadEvents(): Promise<void> {
    try {
      const { events } = await this.#feed.get<Events>(`api/events?limit=${mostEvents}`);
      this.#happenings = events;
      this.#eventsProblem = '';
    } catch (error) {
      this.#eventsProblem = error instanceof Error ? error.message : String(error);
    }
    this.#changed.add('events');
    this.#later();
  }

  async #checkNow(host: string): Promise<string> {
    try {
      return (await this.#feed.post<CheckAnswer>('api/check', { host })).text;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #showProblem(problem: PageProblem | undefined): void {
    setText(this.#problem, problem === undefined ? '' : `${problem.error} ${problem.remedy}`.trim());
    setHidden(this.#problem, problem === undefined);
  }

  #showLink(link: Link): void {
    const place = part('link');
    if (place.dataset.link === link.state && link.state !== 'lost' && link.state !== 'token') return;
    setAttribute(place, 'data-link', link.state);
    setAttribute(document.body, 'data-link', link.state);
    if (link.state === 'lost') {
      setText(place, `lost at ${clockTime(link.at)}, connecting again`);
      setAttribute(place, 'title', link.why);
    } else if (link.state === 'token') {
      setText(place, 'a token is needed');
      this.#token.refused(link.why);
      if (!this.#live) setText(part('overall'), 'Who looks at this page needs its token.');
    } else setText(place, link.state);
  }
}

new Page().start();
