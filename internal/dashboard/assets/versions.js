export function versions(root) { root.append(); }
