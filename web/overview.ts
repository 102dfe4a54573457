/** The top of the page: how all of it is in one sentence, what is wrong with its remedy, each module in one line. */
import type { ModuleRow, WarningRow } from '../src/supervisor/page/shapes.ts';
import { make, part, Rows, setAttribute, setHidden, setText } from './dom.ts';
import type { Model } from './model.ts';
import { ago, count, some } from './words.ts';

/** Such as `3 of 120 services go through the tunnel, 1 fails`. */
export function overallText({ service, nbrpc, services, modules, warnings }: Model): string {
  if (service === undefined) return 'Asking netsteward how things are…';
  if (service.state !== 'running') return `netsteward is ${service.state}`;
  const errors = warnings.filter(({ severity }) => severity === 'error').length;
  const notes = [
    errors > 0 ? some(errors, 'error') : '',
    warnings.length > errors ? some(warnings.length - errors, 'warning') : '',
  ].filter((text) => text !== '');
  const noted = notes.length === 0 ? '' : `; ${notes.join(' and ')}`;
  if (nbrpc === undefined || nbrpc === null || nbrpc.total === 0) {
    const running = modules.filter(({ state }) => state === 'running').length;
    return `netsteward runs ${running} of ${some(modules.length, 'module')}${noted}`;
  }
  const { total, byStanding } = nbrpc;
  const down = services.filter(({ standing, state }) => standing === 'failing' && state === 'unstable').length;
  const failing = Math.max(0, byStanding.failing - down);
  const unknown = byStanding.unchecked + byStanding.unresolved;
  const parts = [
    byStanding.dropped > 0 ? `${count(byStanding.dropped)} dropped` : '',
    byStanding.rerouted > 0 ? `${count(byStanding.rerouted)} through the tunnel` : '',
    failing > 0 ? `${count(failing)} failing` : '',
    down > 0 ? `${count(down)} down` : '',
    unknown > 0 ? `${count(unknown)} that cannot be checked` : '',
    byStanding.waiting > 0 ? `${count(byStanding.waiting)} not checked yet` : '',
  ].filter((text) => text !== '');
  if (parts.length === 0)
    return `${total === 1 ? 'The one service works' : `All ${count(total)} services work`} directly${noted}`;
  return `${some(total, 'service')}: ${parts.join(', ')}, ${count(byStanding.ok)} direct${noted}`;
}

/** For the window's list: short. */
export function titleText({ nbrpc, warnings }: Model): string {
  const parts = [
    nbrpc && nbrpc.byStanding.dropped > 0 ? `${nbrpc.byStanding.dropped} dropped` : '',
    nbrpc && nbrpc.byStanding.failing > 0 ? `${nbrpc.byStanding.failing} failing` : '',
    nbrpc && nbrpc.byStanding.rerouted > 0 ? `${nbrpc.byStanding.rerouted} around` : '',
    warnings.length > 0 ? some(warnings.length, 'warning') : '',
  ].filter((text) => text !== '');
  return parts.length === 0 ? 'netsteward' : `${parts.join(', ')} – netsteward`;
}

export class OverviewView {
  readonly #warnings = new Rows<WarningRow, { element: Element; parts: readonly HTMLElement[] }>(
    part('warnings'),
    () => {
      const parts = [make('b'), make('span'), make('span', { class: 'remedy' })] as const;
      return { element: make('li', {}, parts[0], ' ', parts[1], ' ', parts[2]), parts };
    },
    ({ element, parts: [head, text, remedy] }, row) => {
      setAttribute(element, 'data-severity', row.severity);
      if (head !== undefined) setText(head, row.severity === 'error' ? 'Error:' : 'Warning:');
      if (text !== undefined) setText(text, row.text.endsWith('.') ? row.text : `${row.text}.`);
      if (remedy !== undefined) setText(remedy, row.remedy);
      setAttribute(element, 'title', `${row.code}${row.subject === '' ? '' : `, ${row.subject}`}`);
    },
  );
  readonly #modules = new Rows<ModuleRow, { element: Element; name: HTMLElement; text: HTMLElement }>(
    part('modules'),
    ({ id }) => {
      const [name, text] = [make('dt', { text: id }), make('dd')];
      return { element: make('div', {}, name, text), name, text };
    },
    ({ element, text }, row) => {
      setAttribute(element, 'data-trouble', row.state === 'waiting' ? 'yes' : 'no');
      setText(text, moduleText(row));
    },
  );
  #said = '';
  #saidAt = 0;

  show(model: Model, now: number): void {
    const text = overallText(model);
    setText(part('overall'), text);
    const title = titleText(model);
    if (document.title !== title) document.title = title;
    this.#warnings.show(model.warnings);
    setHidden(part('warnings'), model.warnings.length === 0);
    this.#modules.show(model.modules);
    setHidden(part('modules'), model.modules.length === 0);
    this.tick(model, now);
    // Spoken when it has changed, and not each second while many things move.
    if (this.#said === text || (this.#said !== '' && now - this.#saidAt < 10_000)) return;
    this.#said = text;
    this.#saidAt = now;
    setText(part('said'), text);
  }

  tick({ service }: Model, now: number): void {
    if (service === undefined) return;
    const reload = service.lastReload;
    const said = [
      `netsteward ${service.version}`,
      `runs since ${ago(service.startedAt, now).replace(/ ago$/, '')}`,
      service.config,
      reload === null ? '' : `reloaded ${ago(reload.at, now)}`,
      reload === null || reload.ok ? '' : `not taken: ${reload.problems.join('; ')}`,
    ].filter((text) => text !== '');
    setText(
      part('about'),
      said.join(' · ').replace('runs since just now', 'has just started').replace('runs since', 'runs for'),
    );
  }
}

function moduleText({ state, summary, lastError, restarts }: ModuleRow): string {
  const again = restarts > 0 ? ` (started again ${some(restarts, 'time')})` : '';
  if (state === 'running') return `${summary}${again}`;
  if (state === 'waiting') return `ended: ${lastError ?? 'no reason was given'}; it starts again by itself${again}`;
  return `${state}${again}`;
}
