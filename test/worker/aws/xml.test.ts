/** The XML reader: what STS writes is read, everything else is refused, and nothing makes it throw or hang. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { onlyChild, parseXml, type XmlElement } from '../../../worker/aws/xml.ts';

const leaf = (name: string, text: string): XmlElement => ({ name, children: [], text });

describe('the XML reader', () => {
  it('reads elements, text, references, a declaration and attributes it does not need', () => {
    const text =
      '<?xml version="1.0" encoding="UTF-8"?>\n<A xmlns="https://a.example/">\n  <B>a&amp;b&#x41;&#66; &lt;</B><C/>\n</A>\n';
    const root = parseXml(text);
    expect(root).toMatchObject({ name: 'A', children: [leaf('B', 'a&bAB <'), leaf('C', '')] });
    expect(onlyChild(root, 'B')?.text).toBe('a&bAB <');
  });

  it.each([
    ['nothing', ''],
    ['JSON', '{"a":1}'],
    ['an element that does not end', '<A><B>'],
    ['another end', '<A></B>'],
    ['two roots', '<A/><B/>'],
    ['text after the root', '<A/>x'],
    ['text beside elements', '<A>x<B/></A>'],
    ['a DOCTYPE', '<!DOCTYPE A [<!ENTITY e "x">]><A>&e;</A>'],
    ['an entity of its own', '<A>&e;</A>'],
    ['CDATA', '<A><![CDATA[x]]></A>'],
    ['a comment', '<A><!-- x --></A>'],
    ['a prefix', '<a:A></a:A>'],
    ['a character that is none', '<A>&#0;</A>'],
    ['half a surrogate', '<A>&#xD800;</A>'],
    ['a code point too far', '<A>&#x110000;</A>'],
    ['nesting without end', `${'<A>'.repeat(17)}${'</A>'.repeat(17)}`],
  ])('refuses %s', (_what, text) => {
    expect(parseXml(text)).toBeUndefined();
  });

  it('does not choose between two children of one name', () => {
    expect(onlyChild(parseXml('<A><B>1</B><B>2</B></A>'), 'B')).toBeUndefined();
  });

  it('reads back any tree that was written', () => {
    const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9._-]{0,10}$/);
    const text = fc.string({ unit: 'binary', maxLength: 20 }).map((value) => value.replaceAll(/[^\u0020-\ud7ff]/g, ''));
    const tree = fc.letrec<{ element: XmlElement }>((tie) => ({
      element: fc.oneof(
        { maxDepth: 4 },
        fc.record({ name, children: fc.constant([]), text }),
        fc.record({ name, children: fc.array(tie('element'), { minLength: 1, maxLength: 3 }), text: fc.constant('') }),
      ),
    })).element;
    fc.assert(
      fc.property(tree, (element) => {
        expect(parseXml(write(element))).toEqual(element);
      }),
    );
  });

  it('answers any text, and any cut or changed answer, with an element or with nothing', () => {
    const good = '<A x="1"><B>a&amp;b</B><C>2026-11-24T10:00:00Z</C></A>';
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.nat(good.length).map((at) => good.slice(0, at)),
          fc
            .tuple(fc.nat(good.length), fc.constantFrom('<', '>', '&', '"', '/', ' ', '\u0000'))
            .map(([at, character]) => good.slice(0, at) + character + good.slice(at)),
        ),
        (text) => {
          const read = parseXml(text);
          expect(read === undefined || typeof read.name === 'string').toBe(true);
        },
      ),
    );
  });
});

function write({ name, children, text }: XmlElement): string {
  const inside = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;') + children.map(write).join('');
  return `<${name}>${inside}</${name}>`;
}
