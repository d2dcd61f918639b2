/**
 * The `models` command: its subcommands and their options. What each does is in a file of its own.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { ModelInputSpec } from '../../shared/schema/card.ts';
import { addModel, type AddFlags } from './add-model.ts';
import { answerInputs } from './answer-inputs.ts';
import type { GlobalFlags } from '../operator/connection.ts';
import type { Report } from '../operator/terminal.ts';
import { benchModel, type BenchFlags } from './bench-model.ts';
import type { CompileFlags } from './compile-model.ts';
import { compileModel } from './compile-model.ts';
import { makeDeviceModel, type DeviceFlags } from './device-model.ts';
import { inspectModel } from './inspect-model.ts';
import { verifyModel, type VerifyFlags } from './verify-model.ts';

type Print = (text: string) => void;
/** Prints what came of a command: a text, or under `--json` a value. */
type Show = (report: Report, command: Command) => void;

export function createModelsCommand(print: Print): Command {
  const show: Show = ({ value, text }, command) =>
    print(command.optsWithGlobals<GlobalFlags>().json === true ? JSON.stringify(value) : text);
  return new Command('models')
    .description('Compiles, inspects, verifies, runs and times the models that answer at the edge.')
    .addCommand(compileCommand(show))
    .addCommand(addCommand(show))
    .addCommand(
      new Command('device')
        .description('Makes the model that a microcontroller runs (.hymc): integers throughout, ranges from examples.')
        .argument('<model.hyb>')
        .requiredOption('--images <images-idx3>', 'labelled images in the IDX form, labels-idx1 beside them')
        .requiredOption('-o, --out <model.hymc>', 'where the file goes')
        .option('--calibration <images>', 'how many of them the ranges are taken from', parseCount, 300)
        .action(async (file: string, flags: DeviceFlags, command: Command) =>
          show(await makeDeviceModel(file, flags), command),
        ),
    )
    .addCommand(
      new Command('inspect')
        .description('Says what a .hyb file is: operators, tensors, sizes, memory.')
        .argument('<model.hyb>')
        .action(async (file: string, _flags: GlobalFlags, command: Command) => show(await inspectModel(file), command)),
    )
    .addCommand(
      addOriginal(new Command('verify'))
        .description('Compares a .hyb file with the ONNX file it was compiled from, on onnxruntime-node.')
        .argument('<model.hyb>')
        .requiredOption('--against <model.onnx>', 'the ONNX file')
        .option('--inputs <file>', 'NDJSON or CSV of examples (default: random inputs)')
        .option('-n, --count <inputs>', 'how many random inputs', parseCount, 200)
        .option('--seed <number>', 'of the random inputs', parseCount, 1)
        .option('--min-agreement <ratio>', 'fail below this share of same answers', parseRatio, 0)
        .action(async (file: string, flags: VerifyFlags, command: Command) =>
          show(await verifyModel(file, flags), command),
        ),
    )
    .addCommand(
      new Command('answer')
        .description('Prints what a .hyb file answers to each example of a file, scores included, one JSON line each.')
        .argument('<model.hyb>')
        .requiredOption('--inputs <file>', 'NDJSON or CSV of examples')
        .action(async (file: string, flags) => print(await answerInputs(file, flags))),
    )
    .addCommand(
      addOriginal(new Command('bench'))
        .description('Times one answer of a .hyb file, and of the ONNX file beside it.')
        .argument('<model.hyb>')
        .option('--against <model.onnx>', 'the ONNX file')
        .option('--inputs <file>', 'NDJSON or CSV of examples (default: random inputs)')
        .option('-n, --count <answers>', 'how many answers are timed', parseCount, 500)
        .action(async (file: string, flags: BenchFlags, command: Command) =>
          show(await benchModel(file, flags), command),
        ),
    );
}

function addCommand(show: Show): Command {
  return new Command('add')
    .description(
      'Puts a model into its folder under models and writes its card: npm start and the next deploy serve it.\n' +
        'A .hyb file says what it is; of an ONNX file, which ONNX Runtime serves at the edge, say it.',
    )
    .argument('<model.hyb|model.onnx>')
    .option('--into <folder>', 'the folder of models', 'models')
    .option('--name <name>', "the model's name (default: as the file says)")
    .option('--variant <name>', "the variant's name (default: as the file says; onnx)")
    .option('--description <text>', 'what it tells', '')
    .option('--examples <file>', 'labelled examples (NDJSON or CSV) that its accuracy is measured on; .hyb only')
    .option('--accuracy <ratio>', 'its accuracy, where it is known', parseRatio)
    .option('--model-version <version>', 'its version; .onnx only', '1.0.0')
    .option('--labels <list>', 'class names in the order of the scores: a,b,c; .onnx only')
    .option('--input <kind>', 'text:CHARACTERS, image:HEIGHTxWIDTH or numbers:COUNT; .onnx only', parseInput)
    .option('--tokenizer <vocab.txt>', "a text model's vocabulary, one piece a line; .onnx only")
    .option('--cased', 'the vocabulary is cased; .onnx only', false)
    .option('--max-tokens <tokens>', 'the longest text; .onnx only', parseCount, 128)
    .option('--output <name>', 'the output with the scores (default: the last of float32, else of float64); .onnx only')
    .addOption(
      new Option('--scores <kind>', 'what they are; .onnx only').choices(['logits', 'probabilities']).default('logits'),
    )
    .option('--temperature <t>', 'confidence is softmax(logits / t); .onnx only', Number, 1)
    .action(async (file: string, flags: AddFlags, command: Command) => show(await addModel(file, flags), command));
}

function compileCommand(show: Show): Command {
  return addOriginal(new Command('compile'))
    .description(
      'Compiles an ONNX classifier (operator set 13 or later, float or quantized) to a .hyb file for the edge engine.\n' +
        'An operator the engine does not have is named with its node; ONNX Runtime serves such a model: hybrid models add.',
    )
    .argument('<model.onnx>')
    .requiredOption('-o, --out <model.hyb>', 'where the file goes')
    .option('--name <name>', "the model's name (default: the file's)")
    .option('--variant <name>', "the variant's name", 'edge')
    .option('--model-version <version>', 'its version', '1.0.0')
    .option('--labels <list>', 'class names in the order of the output: a,b,c or a file with one a line')
    .option('--out-of-scope <label>', 'the label that means: none of them')
    .option('--tokenizer <file>', "a text model's vocab.txt, or tokenizer.json with a WordPiece model")
    .option('--cased', 'the vocabulary is cased (only with vocab.txt)', false)
    .option('--max-chars <characters>', 'how much of a text is read', parseCount, 1000)
    .option(
      '--calibration <examples>',
      'labelled examples (NDJSON or CSV) that the confidence is fitted to, or a temperature',
    )
    .addOption(new Option('--bits <bits>', 'of weights that are not quantized yet').choices(['8', '4']).default('8'))
    .addOption(
      new Option('--table-bits <bits>', 'of the table of word pieces, also where the file has it quantized').choices([
        '4',
      ]),
    )
    .addOption(
      new Option('--arithmetic <kind>', 'what products are computed in')
        .choices(['auto', 'f32', 'int8'])
        .default('auto'),
    )
    .action(async (file: string, flags: CompileFlags, command: Command) =>
      show(await compileModel(file, flags), command),
    );
}

/** What the ONNX file does not say of its input and output. */
function addOriginal(command: Command): Command {
  return command
    .option('--output <name>', 'the output with the scores (default: the first that is computed from the input)')
    .option('--image <HxWxC>', 'the image that a model of plain numbers takes', parseImage)
    .option('--range <low,high>', "what 0 and 1 of the engine's input stand for", parseRange)
    .option(
      '--max-tokens <tokens>',
      'the longest text, at most 128 (default: as many as the model has places)',
      parseCount,
    );
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('It is not a whole number above 0.');
  return count;
}

function parseInput(text: string): ModelInputSpec {
  const [kind, size = ''] = text.split(':');
  const numbers = size.split('x').map(Number);
  const [first = 0, second = 0, ...rest] = numbers;
  if (rest.length === 0 && numbers.every((n) => Number.isInteger(n) && n > 0)) {
    if (kind === 'text' && second === 0) return { kind, max_chars: first };
    if (kind === 'numbers' && second === 0) return { kind, size: first };
    if (kind === 'image' && second > 0) return { kind, height: first, width: second, channels: 1 };
  }
  throw new InvalidArgumentError('It is not like text:1000, image:28x28 or numbers:30.');
}

function parseRatio(text: string): number {
  const ratio = Number(text);
  if (!(ratio >= 0 && ratio <= 1)) throw new InvalidArgumentError('It is not from 0 to 1.');
  return ratio;
}

function parseImage(text: string): [number, number, number] {
  const [height = 0, width = 0, channels = 0, ...rest] = text.split('x').map(Number);
  if (rest.length > 0 || ![height, width, channels].every((n) => Number.isInteger(n) && n > 0)) {
    throw new InvalidArgumentError('It is not like 28x28x1.');
  }
  return [height, width, channels];
}

function parseRange(text: string): [number, number] {
  const [low = Number.NaN, high = Number.NaN] = text.split(',').map(Number);
  if (!(high > low)) throw new InvalidArgumentError('It is not like 0,255.');
  return [low, high];
}
