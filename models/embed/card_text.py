"""Owns the words of embed's card: data, licences, format and training in prose. Numbers are measured elsewhere."""

CARD = {
    "name": "embed",
    "version": "1.0.0",
    "task": "sentence_embedding",
    "description": "A unit vector for a short English text; the dot product of two is their similarity.",
    "input": {"kind": "text", "max_chars": 1000},
    "data": {
        "name": "all-MiniLM-L6-v2 as teacher; texts of CLINC150, BANKING77 and LLMRouter, without their labels",
        "licence": "Apache-2.0 (teacher), CC BY 3.0 (CLINC150), CC BY 4.0 (BANKING77), MIT (LLMRouter)",
        "attribution": "the sentence-transformers project; Larson et al. 2019, EMNLP-IJCNLP; Casanueva et al. 2020, NLP4ConvAI; the ulab-uiuc LLMRouter authors",
        "source": "https://github.com/clinc/oos-eval, https://github.com/PolyAI-LDN/task-specific-datasets, https://github.com/ulab-uiuc/LLMRouter",
        "train": "texts of CLINC150 train, BANKING77 train (without the report rows of `banking`), LLMRouter questions and their sentences, 30,000 texts made from these by swapping, dropping and recombining words, and 25,000 with one to three words replaced by any of the vocabulary",
        "choose": "2,000 texts held out of these showed whether tuning helps; dimensions and weights are first guesses, not searched for",
        "report": "8,000 pairs of Quora question pairs and 4,076 of MRPC, drawn by seed; used for nothing else, and their licences keep their text out of this repository",
    },
    "pretrained": "all-MiniLM-L6-v2 (Apache-2.0, sentence-transformers) is the teacher; its vocabulary was pruned.",
    "limits": "English only. The order of words does not count: 'a sends b' equals 'b sends a', and a negation moves a vector little. A text without a known piece gets the zero vector, which is similar to nothing.",
}

FORMAT = "static word-piece vectors, int8 with one scale per piece, mean, unit length"

TRAINING = (
    "each piece's vector from the teacher without context, less their mean, projected on the 176 first principal axes of the teacher's sentence vectors, weighted by smooth inverse "
    "frequency (a = 3e-4, frequency by Zipf's law from the vocabulary's order); then tuned so that the mean of a text's pieces points where the teacher's sentence vector does "
    "(cosine) and the cosines of a batch's texts are the teacher's (squared error, factor 10). 8 epochs, batch 512, Adam 2e-3 falling to 0, 10 % of pieces left out, seed 1; rounded to int8 after"
)
