/**
 * Reads the XML that AWS's query services answer with: elements, text, the predefined entities. Strict and small: what is
 * outside this subset (a DOCTYPE, CDATA, comments, prefixes, text beside elements) is refused, so there is nothing to expand.
 */

export type XmlElement = { readonly name: string; readonly children: readonly XmlElement[]; readonly text: string };

type OpenElement = { readonly name: string; readonly children: XmlElement[]; text: string };

const MAX_DEPTH = 16;
const DECLARATION = /<\?xml(?:[ \t\r\n]+[a-z]+="[\w.-]*")*[ \t\r\n]*\?>/y;
const OPEN_TAG = /<([A-Za-z][\w.-]{0,127})((?:[ \t\r\n]+[A-Za-z][\w.:-]*="[^"<&]*")*)[ \t\r\n]*(\/?)>/y;
const CLOSE_TAG = /<\/([A-Za-z][\w.-]{0,127})[ \t\r\n]*>/y;
const TEXT = /[^<&]+/y;
const REFERENCE = /&(amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});/y;
const SPACE = /[ \t\r\n]*/y;

/** The root element, or undefined where the text is not wholly of this subset. */
export function parseXml(source: string): XmlElement | undefined {
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(source);
    if (found !== null) at += found[0].length;
    return found;
  };

  take(DECLARATION);
  take(SPACE);
  const open: OpenElement[] = [];
  for (;;) {
    const current = open.at(-1);
    const opening = take(OPEN_TAG);
    if (opening !== null) {
      const [, name = '', , selfClosing] = opening;
      if (open.length >= MAX_DEPTH) return undefined;
      open.push({ name, children: [], text: '' });
      if (selfClosing !== '/') continue;
    } else if (current === undefined) {
      return undefined;
    } else {
      const closing = take(CLOSE_TAG);
      if (closing === null) {
        const text = take(TEXT)?.[0] ?? characterOf(take(REFERENCE)?.[1]);
        if (text === undefined) return undefined;
        current.text += text;
        continue;
      }
      if (closing[1] !== current.name) return undefined;
    }
    const closed = open.pop();
    if (closed === undefined || isMixed(closed)) return undefined;
    const parent = open.at(-1);
    if (parent !== undefined) {
      parent.children.push(closed);
      continue;
    }
    take(SPACE);
    return at === source.length ? closed : undefined;
  }
}

/** The one child of that name; undefined where there is none, or more than one. */
export function onlyChild(element: XmlElement | undefined, name: string): XmlElement | undefined {
  const named = element?.children.filter((child) => child.name === name) ?? [];
  return named.length === 1 ? named[0] : undefined;
}

function isMixed({ children, text }: OpenElement): boolean {
  return children.length > 0 && text.trim() !== '';
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function characterOf(reference: string | undefined): string | undefined {
  if (reference === undefined) return undefined;
  if (!reference.startsWith('#')) return NAMED[reference];
  const code = reference.startsWith('#x') ? Number.parseInt(reference.slice(2), 16) : Number(reference.slice(1));
  const isCharacter = code >= 0x20 || code === 0x9 || code === 0xa || code === 0xd;
  const isSurrogate = code >= 0xd800 && code <= 0xdfff;
  return isCharacter && !isSurrogate && code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}
