/** Nominal types: a branded value can only come from the constructor that checked it. */
declare const BRAND: unique symbol;

/** `T` that carries the compile-time name `N`; free at run time. */
export type Brand<T, N extends string> = T & { readonly [BRAND]: N };
