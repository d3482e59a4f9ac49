// Renders the tree of a message's Markdown (see markdown.py) as text nodes and known elements.
import { h } from "vue";
import { pageLink } from "shared";

const PLAIN = new Set(["p", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "br", "hr", "h4"]);
const LINK = { target: "_blank", rel: "noopener noreferrer nofollow" };

function node(each, runs) {
  if (typeof each === "string") return each;
  const [tag, attributes, ...children] = each;
  const inside = children.map((child) => node(child, runs));
  if (tag === "run") return chip(attributes, runs[attributes.id], inside);
  if (tag === "mention") return h("span", { class: "lw-chat__mention" }, inside);
  if (tag === "a") {
    const isOurs = attributes.href.startsWith("/");
    return h("a", isOurs ? { href: pageLink(attributes.href) } : { href: attributes.href, ...LINK }, inside);
  }
  return PLAIN.has(tag) ? h(tag, null, inside) : inside;
}

function chip({ id, href }, run, inside) {
  if (!run) return h("a", { href: pageLink(href) }, inside);
  const status = h("span", { class: "lw-badge", "data-tone": run.tone }, run.status);
  return h("a", { class: "lw-chat__run", href: pageLink(href), "data-run": id }, [h("bdi", run.name), " ", status]);
}

export const MessageBody = (props) => props.tree.map((each) => node(each, props.runs));
MessageBody.props = { tree: Array, runs: Object };
