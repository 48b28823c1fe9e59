"""Records what a server of a scalar reward model answers, byte for byte, beside the number that transformers gives.

    python tools/reference/scalar.py make FOLDER            # nano's weights under a random reward head of a fixed seed
    vllm serve FOLDER --served-model-name reward --runner pooling --convert classify --dtype float32 --max-model-len 1024
    python tools/reference/scalar.py record FOLDER http://127.0.0.1:8000 'vLLM VERSION (CPU)'

The last writes fixtures/remote/scalar.json. Run from the root of the repository.
"""

import json
import pathlib
import shutil
import sys
import urllib.error
import urllib.request

FILE = pathlib.Path("fixtures/remote/scalar.json")


def talk(answer):
    return [{"role": "user", "content": "What is the capital of France?"}, {"role": "assistant", "content": answer}]


def make(folder):
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_pretrained("models/nano", num_labels=1, dtype=torch.float32)
    with torch.no_grad():
        model.score.weight.copy_(torch.randn_like(model.score.weight) * 0.1)
    model.config.pad_token_id = 0
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(f"models/nano/{name}", folder)


def record(folder, url, server):
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32)
    cases = {}
    for name, answer, as_text in (("messages", "Paris.", False), ("text", "It is the old city of Paris.", True),
                                  ("too_long", "and on " * 600, False)):
        messages = talk(answer)
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        body = {"model": "reward", **({"input": text} if as_text else {"messages": messages}), "use_activation": False}
        # As serde_json writes it.
        sent = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        request = urllib.request.Request(url + "/classify", sent.encode(), {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request) as answer:
                status, reply = answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            status, reply = error.code, error.read().decode()
        cases[name] = {"path": "/classify", "request": sent, "status": status, "reply": reply}
        if status == 200:
            ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)
            with torch.no_grad():
                cases[name] |= {"logit": model(**ids).logits.item(), "tokens": ids["input_ids"].shape[1]}
        print(name, status, reply[:200], cases[name].get("logit"))
    FILE.write_text(json.dumps({"recorded_from": server, "cases": cases}, ensure_ascii=False, indent=1) + "\n")


{"make": make, "record": record}[sys.argv[1]](*sys.argv[2:])
