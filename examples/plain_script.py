"""Ask a model from a plain script: no event loop, no `async`.

python plain_script.py
"""

import os
import sys

from penstock import Client, PenstockError, ServiceError

KAFKA = os.environ.get("KAFKA", "localhost:9092")
REQUESTS = os.environ.get("REQUESTS", "requests")  # the topic that the workers read
REPLIES = os.environ.get("REPLIES", "replies")  # the topic that they answer on

SPECIES = ("setosa", "versicolor", "virginica")
FLOWERS = [  # sepal length and width, petal length and width, in cm
    [5.1, 3.5, 1.4, 0.2],
    [6.2, 2.8, 4.5, 1.5],
    [6.9, 3.1, 5.6, 2.3],
]


def main() -> None:
    # Connecting takes longer than asking, so a program makes one client and keeps it. Its threads may share it.
    with Client.sync(KAFKA, request_topic=REQUESTS, reply_topic=REPLIES, timeout_s=10.0) as client:
        # One request, with one row or with many. The answer has arrays by the names of the model's outputs.
        prediction = client.predict("iris", FLOWERS)
        print(f"{prediction.model}, version {prediction.version}, answered request {prediction.source}:")
        for flower, label, scores in zip(FLOWERS, prediction["label"], prediction["probabilities"], strict=True):
            print(f"  {flower} is {SPECIES[label]} ({scores[label]:.1%})")

        # Many requests: up to 1000 are on their way at once, and the answers come in the order of the inputs.
        lengths = [length / 10 for length in range(10, 70)]
        inputs = ([[6.0, 3.0, length, length / 3]] for length in lengths)
        labels = [int(answer["label"][0]) for answer in client.predict_many("iris", inputs)]
        print(f"With larger petals: {', '.join(SPECIES[label] for label in dict.fromkeys(labels))}")

        # What the service has to object is an error with a code.
        try:
            client.predict("iris", [[5.1, 3.5]])
        except ServiceError as error:
            print(f"Two numbers instead of four: {error.code}: {error.message}")


if __name__ == "__main__":
    try:
        main()
    except PenstockError as error:  # no broker, no topic, no worker: the text says which, and what to do
        sys.exit(f"plain_script.py: {error}")
