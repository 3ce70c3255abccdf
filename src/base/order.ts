/** All that `roots` need, each after what it needs itself, each once, in a fixed order. Deep chains do not overflow. */
export function inOrder<T>(roots: readonly T[], needs: (item: T) => readonly T[]): T[] {
  const order: T[] = []
  const seen = new Set<T>()
  const stack: { readonly item: T; next: number }[] = []
  const visit = (item: T): void => {
    if (seen.has(item)) return
    seen.add(item)
    stack.push({ item, next: 0 })
  }
  for (const root of roots) {
    visit(root)
    while (stack.length > 0) {
      const top = stack[stack.length - 1]
      const needed = needs(top.item)
      if (top.next < needed.length) visit(needed[top.next++])
      else {
        order.push(top.item)
        stack.pop()
      }
    }
  }
  return order
}
