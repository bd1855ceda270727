/* A picture from the camera, or in plain words why there is none. */
import { byId, open } from "./dom.js";

const WHY = {
  NotAllowedError: "The browser does not allow the camera here. Allow it in the address bar, then open this again.",
  NotFoundError: "This device has no camera that the browser can find.",
  NotReadableError: "Another program is using the camera. Close it, then open this again.",
  OverconstrainedError: "The camera cannot do what was asked of it.",
};

export function setUpCamera(take) {
  const dialog = byId("camera"), video = byId("camera-video"), why = byId("camera-why"), shoot = byId("camera-shoot"), turn = byId("camera-turn");
  let stream = null, facing = "environment";

  function stop() {
    stream?.getTracks().forEach(track => track.stop());
    stream = null;
    video.srcObject = null;
  }
  function explain(text) {
    why.textContent = text;
    why.hidden = !text;
    video.hidden = Boolean(text);
    shoot.disabled = true;
    shoot.hidden = Boolean(text);
    if (text) byId("camera-instead").focus();
  }
  async function start() {
    stop();
    explain("");
    turn.hidden = true;
    if (!navigator.mediaDevices?.getUserMedia) {
      return explain("Browsers give the camera only to pages that come over https or from this machine. Choosing a file can still open a phone's camera.");
    }
    try {
      const found = await navigator.mediaDevices.getUserMedia({ video: { facingMode: facing, width: { ideal: 1920 }, height: { ideal: 1080 } }, audio: false });
      if (!dialog.open) { found.getTracks().forEach(track => track.stop()); return; }
      stream = found;
      video.srcObject = stream;
      await video.play();
      shoot.disabled = false;
      shoot.focus();
      const devices = await navigator.mediaDevices.enumerateDevices();
      turn.hidden = devices.filter(device => device.kind === "videoinput").length < 2;
    } catch (error) {
      if (dialog.open) explain(WHY[error.name] ?? `The camera could not be opened (${error.name}).`);
    }
  }
  shoot.addEventListener("click", () => {
    const canvas = document.createElement("canvas");
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob(blob => {
      const now = new Date(), two = part => String(part).padStart(2, "0");
      const name = `camera-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}.jpg`;
      dialog.close();
      take([new File([blob], name, { type: "image/jpeg" })]);
    }, "image/jpeg", 0.93);
  });
  turn.addEventListener("click", () => { facing = facing === "environment" ? "user" : "environment"; start(); });
  dialog.addEventListener("close", stop);
  return () => { open(dialog); start(); };
}
