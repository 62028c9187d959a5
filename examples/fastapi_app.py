"""An HTTP endpoint in front of a model behind Kafka.

uvicorn fastapi_app:app
curl localhost:8000/predict -H 'content-type: application/json' -d '{"rows": [[5.1, 3.5, 1.4, 0.2]]}'
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, FiniteFloat

from penstock import Client, PenstockError, RequestTimeout, ServiceError

KAFKA = os.environ.get("KAFKA", "localhost:9092")
REQUESTS = os.environ.get("REQUESTS", "requests")
REPLIES = os.environ.get("REPLIES", "replies")
TIMEOUT_S = float(os.environ.get("TIMEOUT_S", "5"))  # less than whoever calls this endpoint waits for


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """One client for the whole process: connected before the first request, closed after the last."""
    async with Client(KAFKA, request_topic=REQUESTS, reply_topic=REPLIES, timeout_s=TIMEOUT_S) as client:
        app.state.client = client
        yield


app = FastAPI(title="Iris", lifespan=lifespan)


class Flowers(BaseModel):
    rows: list[Annotated[list[FiniteFloat], Field(min_length=4, max_length=4)]] = Field(min_length=1, max_length=1000)


class Answer(BaseModel):
    labels: list[int]
    probabilities: list[list[float]]
    version: str | None  # of the model, so that an answer can be traced


@app.post("/predict")
async def predict(flowers: Flowers, request: Request) -> Answer:
    client: Client = request.app.state.client
    # While this waits, other requests are served; the workers gather them all into micro-batches.
    prediction = await client.predict("iris", np.array(flowers.rows, dtype=np.float32))
    return Answer(
        labels=prediction["label"].tolist(),
        probabilities=prediction["probabilities"].tolist(),
        version=prediction.version,
    )


def status_of(error: PenstockError) -> int:
    """Say with a status whose turn it is: the caller's (4xx), or ours (5xx)."""
    match error:
        case ServiceError(code="UNKNOWN_MODEL" | "VERSION_GONE"):
            return 404
        case RequestTimeout() | ServiceError(code="EXPIRED"):
            return 504  # no worker, or too many requests; the same request may succeed later
        case ServiceError(code="MODEL_FAILED" | "BAD_OUTPUT"):
            return 502
        case ServiceError():
            return 422  # something about the request itself: its shape, its type, its size
        case _:
            return 503  # Kafka cannot be reached


@app.exception_handler(PenstockError)
async def explain(_: Request, error: PenstockError) -> JSONResponse:
    return JSONResponse({"error": str(error)}, status_code=status_of(error))
