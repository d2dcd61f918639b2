"""Owns the words of embed's card: data, licences, formats and training in prose. Numbers are measured elsewhere."""

CARD = {
    "name": "embed",
    "version": "1.0.0",
    "task": "sentence_embedding",
    "description": "A unit vector for a short English text; the dot product of two is their similarity. Vectors of different variants do not compare: pin one for an index.",
    "labels": [],
    "out_of_scope_label": None,
    "input": {"kind": "text", "max_chars": 1000},
    "data": {
        "name": "all-MiniLM-L6-v2 as teacher; texts of CLINC150, BANKING77 and LLMRouter, without their labels",
        "licence": "Apache-2.0 (teacher), CC BY 3.0 (CLINC150), CC BY 4.0 (BANKING77), MIT (LLMRouter)",
        "attribution": "the sentence-transformers project; Larson et al. 2019, EMNLP-IJCNLP; Casanueva et al. 2020, NLP4ConvAI; the ulab-uiuc LLMRouter authors",
        "source": "https://github.com/clinc/oos-eval, https://github.com/PolyAI-LDN/task-specific-datasets, https://github.com/ulab-uiuc/LLMRouter",
        "train": "texts of CLINC150 train, BANKING77 train (without the report rows of `banking`), LLMRouter questions and their sentences, 30,000 texts made from these by swapping, "
        "dropping and recombining words, and 25,000 with one to three words replaced by any of the vocabulary",
        "choose": "2,000 texts held out of these showed whether tuning helps, how many dimensions and how many bits; weights are first guesses, not searched for",
        "report": "3,000 rows of CLINC150 val, each looked up among the 15,000 of train by its nearest vector; 4,000 pairs of Quora question pairs and 2,000 of MRPC, drawn by "
        "seed. Used for nothing else. The licences of the pairs keep their text out of this repository",
    },
    "pretrained": "all-MiniLM-L6-v2 (Apache-2.0, sentence-transformers) is the teacher of micro, and base itself; its vocabulary was pruned.",
    "limits": "English only. For micro the order of words does not count: 'a sends b' equals 'b sends a', and a negation moves a vector little; a text without a known piece gets "
    "the zero vector, which is similar to nothing. Texts past 128 word pieces are cut.",
    "reference_variant": "base",
}

FORMATS = {
    "micro": "static word-piece vectors, int4 with one scale per piece, mean, unit length",
    "base": "transformer, 6 layers of 384, mean, unit length; int8 weights per channel and an int4 table of word pieces in the file, float32 products",
}

TRAINING = {
    "micro": "each piece's vector from the teacher without context, less their mean, projected on the first principal axes of the teacher's sentence vectors, weighted by smooth inverse "
    "frequency (a = 3e-4, frequency by Zipf's law from the vocabulary's order); then tuned so that the mean of a text's pieces points where the teacher's sentence vector does "
    "(cosine) and the cosines of a batch's texts are the teacher's (squared error, factor 10). 8 epochs, batch 512, Adam 2e-3 falling to 0, 10 % of pieces left out, seed 1; rounded to int4 after",
    "base": "none: the teacher's weights, rounded",
}
