"""The Python package `openai`, unmodified, in its ordinary use."""

import sys

import openai

from checks import run_checks

client = openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="unused", max_retries=0)
messages = [{"role": "user", "content": "one two three"}]


def lists_models() -> None:
    ids = [model.id for model in client.models.list()]
    assert "intent" in ids and "echo" in ids, ids


def embeds() -> None:
    packed = client.embeddings.create(model="embed", input=["good morning", "a red car"])
    plain = client.embeddings.create(model="embed", input="good morning", encoding_format="float")
    assert len(packed.data) == 2
    pairs = zip(packed.data[0].embedding, plain.data[0].embedding, strict=True)
    assert all(abs(one - other) < 1e-6 for one, other in pairs)


def completes() -> None:
    answer = client.chat.completions.create(model="echo", messages=messages)
    assert answer.choices[0].message.content == "You said: one two three"
    assert answer.usage is not None and answer.usage.completion_tokens == 5


def streams() -> None:
    stream = client.chat.completions.create(
        model="echo", messages=messages, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "You said: one two three", text
    assert chunks[-1].usage is not None and chunks[-1].usage.completion_tokens == 5


def raises() -> None:
    try:
        client.chat.completions.create(model="none", messages=messages)
    except openai.NotFoundError as error:
        assert error.status_code == 404
    else:
        raise AssertionError("an unknown model was answered")


run_checks(
    "openai (Python)",
    {
        "lists models": lists_models,
        "makes embeddings": embeds,
        "completes a chat": completes,
        "streams a chat": streams,
        "raises errors by their kind": raises,
    },
)
