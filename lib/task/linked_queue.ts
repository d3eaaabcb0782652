/** A first-in first-out queue whose members may leave from the middle. Private to this folder. */

/** A place in a queue. */
export interface QueueNode<T> {
  readonly value: T;
  /** Leaves the queue; false if it has left already. O(1). */
  remove(): boolean;
}

/** Waiters in order of arrival; every operation is O(1). */
export class LinkedQueue<T> {
  #head: Node<T> | undefined;
  #tail: Node<T> | undefined;
  #size = 0;

  /** Members. */
  get size(): number {
    return this.#size;
  }

  /** Joins at the end. */
  push(value: T): QueueNode<T> {
    const node = new Node(value, (leaving) => this.#unlink(leaving));
    node.previous = this.#tail;
    if (this.#tail === undefined) this.#head = node;
    else this.#tail.next = node;
    this.#tail = node;
    this.#size++;
    return node;
  }

  /** Removes and returns the first place; `undefined` when empty. */
  shift(): QueueNode<T> | undefined {
    const first = this.#head;
    first?.remove();
    return first;
  }

  /** The first place, which stays; `undefined` when empty. */
  peek(): QueueNode<T> | undefined {
    return this.#head;
  }

  #unlink(node: Node<T>): void {
    if (node.previous === undefined) this.#head = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) this.#tail = node.previous;
    else node.next.previous = node.previous;
    node.previous = undefined;
    node.next = undefined;
    this.#size--;
  }
}

class Node<T> implements QueueNode<T> {
  readonly value: T;
  previous: Node<T> | undefined;
  next: Node<T> | undefined;
  #unlink: ((node: Node<T>) => void) | undefined;

  constructor(value: T, unlink: (node: Node<T>) => void) {
    this.value = value;
    this.#unlink = unlink;
  }

  remove(): boolean {
    const unlink = this.#unlink;
    if (unlink === undefined) return false;
    this.#unlink = undefined;
    unlink(this);
    return true;
  }
}
