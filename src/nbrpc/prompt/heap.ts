/** A binary heap: the earliest first, the one put in sooner first among equals. */

interface Node<Item> {
  readonly at: number;
  readonly order: number;
  readonly item: Item;
}

export class Heap<Item> {
  readonly #nodes: Node<Item>[] = [];
  #order = 0;

  get size(): number {
    return this.#nodes.length;
  }

  push(at: number, item: Item): void {
    const nodes = this.#nodes;
    const node = { at, order: this.#order++, item };
    let place = nodes.length;
    nodes.push(node);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = nodes[parent];
      if (above === undefined || !before(node, above)) break;
      nodes[place] = above;
      place = parent;
    }
    nodes[place] = node;
  }

  peek(): { readonly at: number; readonly item: Item } | undefined {
    return this.#nodes[0];
  }

  pop(): { readonly at: number; readonly item: Item } | undefined {
    const nodes = this.#nodes;
    const first = nodes[0];
    const last = nodes.pop();
    if (first === undefined || last === undefined || nodes.length === 0) return first;
    let place = 0;
    for (;;) {
      const left = nodes[2 * place + 1];
      const right = nodes[2 * place + 2];
      if (left === undefined) break;
      const child = right !== undefined && before(right, left) ? right : left;
      if (!before(child, last)) break;
      nodes[place] = child;
      place = 2 * place + (child === right ? 2 : 1);
    }
    nodes[place] = last;
    return first;
  }
}

function before<Item>(a: Node<Item>, b: Node<Item>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
