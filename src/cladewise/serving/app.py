"""The application: routes from requests to answers."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from cladewise.errors import InputError, MissingExtraError

try:
    import httptools as httptools
    import httpx as httpx
    import prometheus_client as prometheus_client
    import python_multipart as python_multipart
    import uvicorn as uvicorn
    from fastapi import FastAPI, Request
    from fastapi.exceptions import RequestValidationError
    from starlette.exceptions import HTTPException
    from starlette.responses import RedirectResponse, Response
except ModuleNotFoundError as error:
    raise MissingExtraError((error.name or "fastapi").partition(".")[0], "serve") from error

from cladewise.serving import schemas
from cladewise.serving.asking import Asked, Given, read_request
from cladewise.serving.correcting import label_of, node_of, read_correction
from cladewise.serving.corrections import Corrections, Recent, is_id
from cladewise.serving.described import CORRECTION, MODEL, PREDICTION, RELOAD, described, responses
from cladewise.serving.fetching import Fetcher
from cladewise.serving.guard import Guard
from cladewise.serving.keys import Keyring
from cladewise.serving.metrics import CONTENT_TYPE, Metrics
from cladewise.serving.model import Model
from cladewise.serving.models import Models
from cladewise.serving.refusals import Refused, error_body, refusing, to_json
from cladewise.serving.settings import Settings
from cladewise.serving.static import page_files
from cladewise.version import __version__

LARGE = 1 << 20
"""Size in bytes from which a body is parsed in a thread, so that other requests do not wait."""

Value = TypeVar("Value")


def create_app(settings: Settings, *, failed: Callable[[Exception], None] | None = None) -> FastAPI:
    """The application of a server. Its models are loaded in the background when it starts.

    Args:
        settings: Settings of the server.
        failed: Called if a model cannot be loaded when the server starts.

    Raises:
        InputError: The folder for corrections cannot be written to, an allowed URL is malformed, or an accepted format
            is unknown.
        MissingExtraError: A package of the extra ``serve`` is not installed.
    """
    settings.check_formats()
    metrics = Metrics()
    server = _Server(settings, metrics)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        tasks = [asyncio.create_task(server.start(failed))]
        if settings.watch or settings.shared:
            tasks.append(asyncio.create_task(server.models.watch(settings.watch or 1.0)))
        yield
        server.models.stopping = True
        for task in tasks:
            task.cancel()
        await server.fetcher.close()
        await asyncio.to_thread(server.models.close)

    app = FastAPI(
        title="cladewise",
        version=__version__,
        summary="Hierarchical image classification: images in, a place in a label tree out.",
        lifespan=lifespan,
        docs_url=None,  # their scripts come from other servers
        redoc_url=None,
        responses=responses(401),
    )
    app.state.server = server
    app.add_middleware(Guard, limits=settings.limits, keys=Keyring(settings.keys), metrics=metrics)
    app.add_exception_handler(HTTPException, _told)
    app.add_exception_handler(RequestValidationError, _told_of_value)
    _add_state(app, server)
    _add_models(app, server)
    _add_predictions(app, server)
    if server.corrections is not None:
        _add_corrections(app, server, server.corrections)
    _add_page(app)
    described(app, with_keys=bool(settings.keys))
    return app


class _Server:
    """The state that the routes share."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.settings, self.metrics = settings, metrics
        self.models = Models(settings, metrics)
        self.fetcher = Fetcher(settings.allow_urls, most=settings.limits.bytes, seconds=settings.limits.body_seconds)
        self.corrections = None if settings.keep is None else Corrections(settings.keep)
        self.recent = Recent()
        self._tables: dict[str, Corrections] = {}
        self._tables_lock = threading.Lock()

    def table(self, model: Model, corrections: Corrections) -> Corrections:
        """The table of a model's corrections: a folder of its own where its tree is not that of the default model."""
        first = self.models[self.settings.default]
        if model.namer("").tree == first.namer("").tree:
            return corrections
        with self._tables_lock:
            if model.name not in self._tables:
                self._tables[model.name] = Corrections(corrections.folder / model.name)
            return self._tables[model.name]

    async def start(self, failed: Callable[[Exception], None] | None) -> None:
        try:
            await self.in_thread(self.models.load)
        except Exception as error:
            if failed is None:
                raise
            failed(error)

    async def in_thread(self, function: Callable[..., Value], *arguments: Any) -> Value:
        """Call a function that takes long in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self.models.helpers, function, *arguments)

    async def read(self, body: bytes, function: Callable[..., Value], *arguments: Any) -> Value:
        """Read a body, in a thread if it is large."""
        if len(body) < LARGE:
            return function(body, *arguments)
        return await self.in_thread(function, body, *arguments)

    async def predict(self, model: Model, asked: Asked) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            Refused: A rule, a label or a language is wrong, or no image could be read.
        """
        if not model.rules.known(asked.rules):
            await self.in_thread(model.rules.answerer, asked.rules)
        if asked.shown.names:
            refusing(model.namer, asked.shown.names)
        images, problems = await self._fetched(asked.images)
        readable = [image for image, problem in zip(images, problems, strict=True) if problem is None]
        found, faulty = await model.predict(readable, asked.rules, asked.shown) if readable else ([], False)
        answered = iter(found)
        results: list[dict[str, Any]] = []
        for image, problem in zip(images, problems, strict=True):
            told = next(answered) if problem is None else {"error": str(problem)}
            results.append({"name": image.name, "id": image.id if problem is None else "", **told})
        bad = sum(result["error"] is not None for result in results)
        self.metrics.images(model.name, len(results) - bad, bad)
        if faulty:
            raise Refused(500, "an answer", "a fault of this server, which its log describes", kind="fault")
        if bad == len(results):
            raise next((problem for problem in problems if problem is not None), None) or _unreadable(results)
        if self.corrections is not None:
            for image in readable:
                self.recent.add(image.id, image.content)
        inference, decision = model.rules.specs(asked.rules)
        promise = model.promise(asked.rules)
        return {
            "model": model.name,
            "decision": decision,
            "inference": inference,
            "promise": promise,
            "results": results,
        }

    async def _fetched(self, images: tuple[Given, ...]) -> tuple[list[Given], list[Refused | None]]:
        """The images with the bytes of those given by URL, and why some have none."""

        async def fetched(image: Given) -> tuple[Given, Refused | None]:
            if not image.url:
                return image, None
            try:
                return Given(image.name, await self.fetcher.fetch(image.url)), None
            except Refused as refused:
                return image, refused

        if not any(image.url for image in images):
            return list(images), [None] * len(images)
        found = await asyncio.gather(*map(fetched, images))
        return [image for image, _ in found], [problem for _, problem in found]


def _unreadable(results: list[dict[str, Any]]) -> Refused:
    reason = results[0]["error"]
    got = reason if len(results) == 1 else f"{len(results)} of which none can be; the first is {reason}"
    return Refused(422, "images that can be decoded", got, kind="image")


def _json(content: Any, headers: dict[str, str] | None = None) -> Response:
    return Response(to_json(content), media_type="application/json", headers=headers)


def _add_state(app: FastAPI, server: _Server) -> None:
    @app.get("/healthz", tags=["state"], summary="Whether the process is alive", response_model=schemas.Health)
    async def healthz() -> Response:
        return _json({"status": "alive"})

    @app.get(
        "/readyz",
        tags=["state"],
        summary="Whether requests are answered: not while loading, nor while stopping",
        response_model=schemas.Health,
        responses=responses(503),
    )
    async def readyz() -> Response:
        if not server.models.ready:
            got = "one that is stopping" if server.models.stopping else "one that is loading its models"
            raise Refused(503, "a server that is ready", got, kind="loading", headers={"retry-after": "1"})
        return _json({"status": "ready"})

    @app.get("/metrics", tags=["state"], summary="Metrics for Prometheus", response_class=Response)
    async def metrics() -> Response:
        queued = [(model.name, model.waiting) for model in server.models.all()]
        return Response(server.metrics.text(queued), media_type=CONTENT_TYPE)


def _add_models(app: FastAPI, server: _Server) -> None:
    @app.get("/v1/models", tags=["models"], summary="The models and limits", response_model=schemas.ModelList)
    async def models() -> Response:
        limits = server.settings.limits
        return _json(
            {
                "models": [model.about for model in server.models.all()],
                "can_keep": server.corrections is not None,
                "limits": {"images": limits.images, "bytes": limits.bytes, "pixels": limits.pixels},
            }
        )

    @app.get(
        "/v1/models/{model}/tree",
        tags=["models"],
        summary="The tree of a model",
        response_model=schemas.Tree,
        responses=responses(404, 422),
        openapi_extra=MODEL.with_query(names="Language of the names, as in fr; the nodes' own by default."),
    )
    async def tree(model: str, request: Request) -> Response:
        served, language = server.models[model], request.query_params.get("names", "")
        body, tag = await server.in_thread(refusing, _tree, served, language)
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers={"etag": tag})
        return Response(body, media_type="application/json", headers={"etag": tag, "cache-control": "no-cache"})

    @app.get(
        "/v1/models/{model}/slider",
        tags=["models"],
        summary="Positions from bold to careful, with what each promises",
        response_model=schemas.SliderPositions,
        responses=responses(404),
        openapi_extra=MODEL.alone,
    )
    async def slider(model: str) -> Response:
        return _json(await server.in_thread(server.models[model].slider.positions))

    @app.post(
        "/v1/models/{model}/reload",
        tags=["models"],
        summary="Load a model again from its run folder",
        response_model=schemas.Reloaded,
        responses=responses(404, 409),
        openapi_extra=RELOAD,
    )
    async def reload(model: str) -> Response:
        _ = server.models[model]
        try:
            found = await server.in_thread(server.models.reload, model)
        except InputError as error:
            raise Refused.of(error, 409, kind="reload") from error
        server.models.announce(model)
        return _json({"name": model, "weights": found.run.model_hash})


def _tree(model: Model, language: str) -> tuple[bytes, str]:
    return model.namer(language).tree


def _add_predictions(app: FastAPI, server: _Server) -> None:
    limits = server.settings.limits

    async def answer(name: str, request: Request) -> Response:
        model = server.models[name]
        body = await request.body()
        kind = request.headers.get("content-type", "")
        query = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        asked = await server.read(body, read_request, kind, query, limits)
        return _json(await server.predict(model, asked))

    options: dict[str, Any] = {
        "tags": ["predictions"],
        "response_model": schemas.Prediction,
        "responses": responses(400, 403, 404, 408, 413, 415, 422, 503, 504),
    }

    @app.post(
        "/v1/models/{model}/predict",
        summary="Answer images by a model",
        openapi_extra=PREDICTION.with_model,
        operation_id="predict_by_model",
        **options,
    )
    async def predict_by_model(model: str, request: Request) -> Response:
        return await answer(model, request)

    @app.post(
        "/v1/predict",
        summary="Answer images by the default model",
        openapi_extra=PREDICTION.alone,
        operation_id="predict",
        **options,
    )
    async def predict(request: Request) -> Response:
        return await answer(server.settings.default, request)


def _add_corrections(app: FastAPI, server: _Server, corrections: Corrections) -> None:
    @app.post(
        "/v1/models/{model}/corrections",
        tags=["corrections"],
        summary="Keep an image with its right label, for the next training",
        response_model=schemas.Kept,
        responses=responses(400, 404, 408, 413, 415, 422, 503, 504),
        openapi_extra=CORRECTION,
    )
    async def correct(model: str, request: Request) -> Response:
        served = server.models[model]
        kind = request.headers.get("content-type", "")
        content, fields = await server.read(await request.body(), read_correction, kind)
        table = await server.in_thread(server.table, served, corrections)
        id = fields.get("id", "").lower()
        if content is None:
            if not id:
                raise Refused(422, "an image, or the id of one that was sent before", "neither", kind="id")
            content = server.recent.get(id) if is_id(id) else None
            if content is None and is_id(id):
                content = await server.in_thread(table.image, id)
            if content is None:
                advice = "Send the image itself as image=."
                raise Refused(404, "the id of an image that was sent before", repr(id[:100]), advice=advice, kind="id")
        else:
            await server.in_thread(served.check_image, content)
        label, predicted = label_of(served, fields), fields.get("predicted", "")
        if predicted:
            predicted = served.namer("").path(node_of(served, predicted, "predicted"))
        add = functools.partial(table.add, predicted=predicted, model=model)
        changed = await server.in_thread(add, content, label)
        if changed:
            server.metrics.corrected()
        id = hashlib.sha256(content).hexdigest()
        return _json({"id": id, "label_path": label, "changed": changed, "corrections": table.count})


def _add_page(app: FastAPI) -> None:
    files = page_files()

    @app.get("/", include_in_schema=False)
    async def index(request: Request) -> Response:
        return files["index.html"].response(request)

    @app.get("/page/", include_in_schema=False)
    async def folder() -> Response:
        return RedirectResponse("..")

    @app.get("/page/{name}", include_in_schema=False)
    async def file(name: str, request: Request) -> Response:
        if name not in files:
            raise HTTPException(404)
        return files[name].response(request)


async def _told(request: Request, error: Exception) -> Response:
    """Response to wrong addresses and methods, in the form of all other errors."""
    assert isinstance(error, HTTPException)
    method, path = request.method, request.url.path[:200]
    expected = {404: "an address of this server", 405: "a method of this address"}.get(error.status_code, "a request")
    problem = InputError(expected, f"{method} {path}", advice="See /openapi.json.")
    content = to_json({"error": error_body(problem)})
    return Response(content, error.status_code, media_type="application/json", headers=dict(error.headers or {}))


async def _told_of_value(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first: dict[str, Any] = next(iter(error.errors()), {})
    problem = InputError(f"a valid {first.get('loc', ('value',))[-1]}", first.get("msg", "another"))
    return Response(to_json({"error": error_body(problem)}), 422, media_type="application/json")
