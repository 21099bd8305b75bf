/** A line for each way in which connections ended. @param ends how often, by how */
export function describeEnds(ends: Readonly<Record<string, number>>): string[] {
  return Object.entries(ends).map(([end, count]) => `    ${count} × ${end}`)
}
