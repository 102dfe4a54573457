/** One piece of work after another, with a turn of the event loop between: many readers must not look like a loop that stands still. */

export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Settles as `work` does, once all before it are done. */
  take<Value>(work: () => Promise<Value> | Value): Promise<Value> {
    const turn = this.#last.then(nextTurn).then(work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
